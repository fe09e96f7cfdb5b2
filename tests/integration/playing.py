"""The test in the part of kubelet and coordinator, which don't run beside a bare API server."""

from functools import partial
from typing import Any

from integration.kube_api import KubeApi, Object
from tools.waiting import until

OWNED = {
    "Deployment": ["executive-coordinator", "executive-lorax"],
    "Service": ["executive-coordinator", "executive-lorax"],
    "ServiceAccount": ["default", "executive-client", "executive-coordinator"],
    "Role": ["executive-client", "executive-coordinator"],
    "RoleBinding": ["executive-client", "executive-coordinator"],
    "NetworkPolicy": ["executive-coordinator", "executive-lorax"],
    "PersistentVolumeClaim": [],
}
OWNED_BY_KEYS = {kind: [name for name in names if name != "executive-client"] for kind, names in OWNED.items()}
"""Where the operator looks at some namespaces only: whoever asks has a key, and there is no identity to ask with."""


def owned(kube: KubeApi) -> dict[str, list[str]]:
    return {kind: kube.names(kind) for kind in OWNED}


def wait_built(kube: KubeApi, wanted: dict[str, list[str]] = OWNED) -> None:
    until("every object is there", lambda: owned(kube) == wanted)
    until("the board has a status", lambda: reason(kube) not in ("", "LoraxCreating"))


def reason(kube: KubeApi, name: str = "executive", type_: str = "Ready") -> str:
    return str(kube.condition("Boardroom", name, type_)["reason"])


def message(kube: KubeApi, name: str = "executive", type_: str = "Ready") -> str:
    return str(kube.condition("Boardroom", name, type_)["message"])


def container(kube: KubeApi, deployment: str, name: str) -> Object:
    pod = kube.live("Deployment", deployment)["spec"]["template"]["spec"]
    return next(c for c in pod["containers"] if c["name"] == name)


def play_kubelet(kube: KubeApi, component: str, board: str = "executive", **state: Any) -> None:
    """Bring a component's pod up, or into the given container state."""
    selector = f"boardroom.dev/board={board},app.kubernetes.io/component={component}"
    pods = until(f"a pod of {component}", lambda: kube.every("Pod", selector))
    pod = max(pods, key=lambda p: p["metadata"]["creationTimestamp"])
    ready = not state
    statuses = [
        {
            "name": c["name"],
            "image": c["image"],
            "imageID": "",
            "ready": ready,
            "started": ready,
            "restartCount": 0,
            "state": state or {"running": {}},
        }
        for c in pod["spec"]["containers"]
    ]
    conditions = [{"type": t, "status": str(ready)} for t in ("Ready", "ContainersReady")]
    conditions.append({"type": "PodScheduled", "status": "True"})
    status = {"phase": "Running" if ready else "Pending", "conditions": conditions, "containerStatuses": statuses}
    kube.patch("Pod", pod["metadata"]["name"], {"status": status}, "status")


def play_scheduler(kube: KubeApi, component: str, said: str) -> None:
    """Say of a component's pod why no node takes it."""
    pods = until(f"a pod of {component}", lambda: kube.every("Pod", f"app.kubernetes.io/component={component}"))
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": said}
    kube.patch("Pod", pods[0]["metadata"]["name"], {"status": {"conditions": [condition]}}, "status")


def play_coordinator(kube: KubeApi, name: str, status: str = "True", reason_: str = "AdapterProved") -> None:
    """Say that an adapter was proved, as the coordinator does."""
    live = kube.get("BoardAgent", name)
    assert live is not None
    condition = {
        "type": "AdapterReady",
        "status": status,
        "reason": reason_,
        "message": "played by the test",
        "observedGeneration": live["metadata"]["generation"],
        "lastTransitionTime": "2026-11-23T00:00:00Z",
    }
    body = {"apiVersion": live["apiVersion"], "kind": live["kind"], "metadata": {"name": name}}
    path = kube.path("BoardAgent", name) + "/status"
    kube.apply(path, body | {"status": {"conditions": [condition]}}, "boardroom-coordinator").raise_for_status()


def make_ready(kube: KubeApi, *roles: str) -> None:
    wait_built(kube)
    make_pods_ready(kube, *roles)


def make_pods_ready(kube: KubeApi, *roles: str) -> None:
    play_kubelet(kube, "lorax")
    play_kubelet(kube, "coordinator")
    for role in roles:
        play_coordinator(kube, role.lower())
    until("the board is ready", lambda: kube.condition("Boardroom", "executive", "Ready")["status"] == "True")


def bring_up(kube: KubeApi, member: str, board: str = "executive") -> None:
    """Bring the pods of the board's newest templates up, and have its member proved."""
    for component in ("lorax", "coordinator"):
        until(f"{component} of {board} has its newest pod", partial(_updated, kube, f"{board}-{component}"))
        play_kubelet(kube, component, board=board)
    play_coordinator(kube, member)
    until(f"{board} is ready", lambda: kube.condition("Boardroom", board, "Ready")["status"] == "True")


def _updated(kube: KubeApi, deployment: str) -> bool:
    live = kube.get("Deployment", deployment) or {"metadata": {"generation": 0}}
    status = live.get("status", {})
    seen = status.get("observedGeneration") == live["metadata"]["generation"]
    return bool(seen and status.get("updatedReplicas") == 1)
