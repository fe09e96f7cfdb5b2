"""Conditions of a live object, and what those of a pod show of its node and its containers."""

from datetime import datetime
from typing import Any

from boardroom.kube.kinds import Object


def condition_of(obj: Object, type_: str) -> dict[str, Any] | None:
    """The condition of that type as JSON; None if the object has none."""
    conditions = obj.get("status", {}).get("conditions") or ()
    return next((c for c in conditions if c["type"] == type_), None)


def is_node_lost(pod: Object) -> bool:
    """Whether the pod's node is lost: the node controller has set Ready to False and left ContainersReady as it was.

    A readiness gate that is not met looks the same but for its reason.
    """
    ready, containers = condition_of(pod, "Ready") or {}, condition_of(pod, "ContainersReady") or {}
    is_down = ready.get("status") == "False" and containers.get("status") == "True"
    return is_down and ready.get("reason") != "ReadinessGatesNotReady"


def was_ready(pod: Object, container: Object) -> bool:
    """Whether a running container that is not ready has been ready since it started.

    ContainersReady has then changed after the start. Both times are whole seconds, so False for a container that fails
    within its first second.
    """
    running, ready = container.get("state", {}).get("running") or {}, condition_of(pod, "ContainersReady") or {}
    started, changed = running.get("startedAt"), ready.get("lastTransitionTime")
    return bool(started and changed and datetime.fromisoformat(changed) > datetime.fromisoformat(started))
