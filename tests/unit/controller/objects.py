"""Live objects as an API server returns them."""

from typing import Any

from boardroom.api.resources import BoardAgent, Boardroom
from boardroom.api.settings import Defaults
from boardroom.controller.plan.blueprint import Blueprint, Image

Object = dict[str, Any]
MODEL = "mistralai/Mistral-7B-Instruct-v0.1"
IMAGE = Image(name="boardroom-operator:1")
LABELS = {"boardroom.dev/board": "executive"}


def board_object(*, generation: int = 1, status: Object | None = None, **spec: Any) -> Object:
    return {
        "apiVersion": "boardroom.dev/v1alpha1",
        "kind": "Boardroom",
        "metadata": {
            "name": "executive",
            "namespace": "team",
            "uid": "board-uid",
            "generation": generation,
            "resourceVersion": "1",
            "creationTimestamp": "2026-11-23T00:00:00Z",
        },
        "spec": {"model": {"id": MODEL}} | spec,
        "status": status or {"observedGeneration": -1},
    }


def agent_object(role: str, *, generation: int = 1, conditions: list[Object] | None = None, **metadata: Any) -> Object:
    name = metadata.pop("name", role.lower())
    return {
        "apiVersion": "boardroom.dev/v1alpha1",
        "kind": "BoardAgent",
        "metadata": {
            "name": name,
            "namespace": "team",
            "uid": f"{name}-uid",
            "generation": generation,
            "resourceVersion": "1",
            "creationTimestamp": "2026-11-23T00:00:00Z",
        }
        | metadata,
        "spec": {"boardroomRef": {"name": "executive"}, "role": role},
        "status": {"observedGeneration": -1} | ({"conditions": conditions} if conditions else {}),
    }


def agent(role: str, **options: Any) -> BoardAgent:
    return BoardAgent.model_validate(agent_object(role, **options))


def blueprint(
    *, members: tuple[str, ...] = (), defaults: Defaults | None = None, clusterwide: bool = True, **spec: Any
) -> Blueprint:
    board = Boardroom.model_validate(board_object(**spec))
    return Blueprint(
        board=board, defaults=defaults or Defaults(), image=IMAGE, members=members, clusterwide=clusterwide
    )


def condition(type_: str, status: str, reason: str, message: str = "", generation: int = 1) -> Object:
    return {
        "type": type_,
        "status": status,
        "reason": reason,
        "message": message,
        "observedGeneration": generation,
        "lastTransitionTime": "2026-11-23T00:00:00Z",
    }


def deployment(*, generation: int = 1, strategy: str = "Recreate", **status: Any) -> Object:
    return {
        "metadata": {"name": "executive-lorax", "namespace": "team", "generation": generation, "labels": LABELS},
        "spec": {"replicas": 1, "strategy": {"type": strategy}, "progressDeadlineSeconds": 2700},
        "status": {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1} | status,
    }


def pod(*containers: Object, **fields: Any) -> Object:
    metadata = {"name": "executive-lorax-1", "namespace": "team", "creationTimestamp": "2026-11-23T00:00:00Z"}
    return {
        "metadata": metadata | {"labels": LABELS} | fields.pop("metadata", {}),
        "status": {"phase": "Pending", "containerStatuses": list(containers)} | fields,
    }


def container(name: str = "lorax", *, ready: bool = False, started: bool = False, **state: Any) -> Object:
    last = state.pop("last", None)
    return {
        "name": name,
        "image": "lorax:1",
        "ready": ready,
        "started": started,
        "restartCount": 1 if last else 0,
        "state": state or {"running": {}},
        "lastState": {"terminated": last} if last else {},
    }


def unschedulable(message: str) -> Object:
    """The condition of a pod that the scheduler has no node for."""
    return {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
