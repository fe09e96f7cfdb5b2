"""What a pod's own conditions say of it."""

from datetime import datetime
from typing import Any

from boardroom.kube.kinds import Object


def condition_of(obj: Object, type_: str) -> dict[str, Any] | None:
    """One condition of a live object."""
    conditions = obj.get("status", {}).get("conditions") or ()
    return next((c for c in conditions if c["type"] == type_), None)


def is_node_lost(pod: Object) -> bool:
    """Whether its node has fallen silent: all is as the node said last, and only the pod as a whole was taken down, by
    the node controller. Where a readiness gate is not met, the reason says so.
    """
    ready, containers = condition_of(pod, "Ready") or {}, condition_of(pod, "ContainersReady") or {}
    silent = ready.get("status") == "False" and containers.get("status") == "True"
    return silent and ready.get("reason") != "ReadinessGatesNotReady"


def was_ready(pod: Object, container: Object) -> bool:
    """Whether a container that runs, and is not ready now, has been ready since it started: its pod's containers all
    were, and ceased to be. Both times are whole seconds; of one that fails in its first second it is not known.
    """
    running, ready = container.get("state", {}).get("running") or {}, condition_of(pod, "ContainersReady") or {}
    since, ceased = running.get("startedAt"), ready.get("lastTransitionTime")
    return bool(since and ceased and datetime.fromisoformat(ceased) > datetime.fromisoformat(since))
