"""LoraxReady and CoordinatorReady: whether a Deployment is up, and if not, why."""

from datetime import datetime
from typing import Final

from boardroom.api.status import LoraxReplicas
from boardroom.controller.status.condition_value import ConditionValue
from boardroom.controller.status.pod_problems import PodUnderTest, WorkloadMessages, explain
from boardroom.controller.status.pods import condition_of, is_node_lost
from boardroom.kube.kinds import Object

_MISSING_CLASSES: Final = (
    (
        "no PriorityClass with name",
        "PriorityClassNotFound",
        "create the PriorityClass or change spec.lorax.priorityClassName",
    ),
    (
        'pod rejected: RuntimeClass "',
        "RuntimeClassNotFound",
        "create the RuntimeClass or change spec.lorax.runtimeClassName",
    ),
)
"""Part of the message about a missing class, the reason for it, and the remedy."""


def workload(
    deployment: Object | None, pods: list[Object], messages: WorkloadMessages, now: datetime
) -> ConditionValue:
    """The value of a Deployment's condition; `pods` are those of its selector."""
    if deployment is None or not deployment.get("status", {}).get("observedGeneration"):
        return ConditionValue(
            status="False", reason="Creating", message=f"the Deployment of {messages.workload} is being created"
        )
    return _deployment_value(deployment, pods, messages, now)


def _deployment_value(
    deployment: Object, pods: list[Object], messages: WorkloadMessages, now: datetime
) -> ConditionValue:
    serving = [pod for pod in pods if _up(pod, messages.container)]
    if deployment["status"]["observedGeneration"] < deployment["metadata"].get("generation", 0):
        return _updating(deployment, serving, None, messages)
    blocked = _paused(deployment, messages) or _refused(deployment, messages)
    updated = deployment["status"].get("updatedReplicas", 0)
    # `kubectl rollout status` uses the same counts.
    if not updated or deployment["status"].get("replicas", 0) > updated:
        down = [pod for pod in pods if pod not in serving] if updated else []
        return _rolling(deployment, serving, blocked or _cause(deployment, down, messages, now), messages)
    up = _counted(deployment, serving)
    desired = deployment["spec"].get("replicas", 1)
    if up and len(up) >= desired:
        return ConditionValue(
            status="True", reason="Ready", message=f"{messages.workload} is up{_beside(up[0], messages)}"
        )
    starting = ConditionValue(status="False", reason="Starting", message=f"{messages.workload} waits for its pod")
    cause = blocked or _cause(deployment, [pod for pod in pods if pod not in up], messages, now) or starting
    if not up:
        return cause
    message = f"{messages.workload} is up in {len(up)} of {desired} pods; of another: {cause.message}"
    return ConditionValue(status="True", reason="SomeReady", message=message, changing=True)


def _rolling(
    deployment: Object, serving: list[Object], cause: ConditionValue | None, messages: WorkloadMessages
) -> ConditionValue:
    """Pods of an earlier template still exist, or none of the current one does."""
    if cause is not None and not _rolls(deployment, serving):
        return cause
    return _updating(deployment, serving, cause, messages)


def _counted(deployment: Object, serving: list[Object]) -> list[Object]:
    """The serving pods that the Deployment counts as ready too, newest first.

    The event of the Deployment may come before those of its pods: a pod that has ended is then still ready in the cache
    and no longer in the Deployment's count.
    """
    newest = sorted(serving, key=_age, reverse=True)
    ready = [pod for pod in newest if _is_ready(pod)]
    ended = ready[deployment["status"].get("readyReplicas", 0) :]
    return [pod for pod in newest if pod not in ended]


def _age(pod: Object) -> tuple[str, str]:
    return pod["metadata"]["creationTimestamp"], pod["metadata"]["name"]


def _is_ready(pod: Object) -> bool:
    return (condition_of(pod, "Ready") or {}).get("status") == "True"


def _cause(deployment: Object, pods: list[Object], messages: WorkloadMessages, now: datetime) -> ConditionValue | None:
    """Why the newest of these pods is not up; None if all of them are being deleted."""
    down = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    if not down:
        return None
    return _overdue(deployment, explain(PodUnderTest(live=max(down, key=_age), messages=messages, now=now)))


def _up(pod: Object, container: str) -> bool:
    if "deletionTimestamp" in pod["metadata"] or is_node_lost(pod):
        return False
    statuses = pod.get("status", {}).get("containerStatuses") or ()
    return any(s["name"] == container and s.get("ready") for s in statuses)


def _updating(
    deployment: Object, serving: list[Object], cause: ConditionValue | None, messages: WorkloadMessages
) -> ConditionValue:
    of_new = f"; of the new one: {cause.message}" if cause else ""
    if _rolls(deployment, serving):
        message = f"{messages.workload} is up; its pod is being replaced{of_new}"
        stalled = cause is not None and cause.stalled
        return ConditionValue(status="True", reason="Updating", message=message, stalled=stalled, changing=True)
    return ConditionValue(
        status="False", reason="Updating", message=f"the pod of {messages.workload} is being replaced"
    )


def _rolls(deployment: Object, serving: list[Object]) -> bool:
    """Whether the former pods serve until the new ones are ready."""
    return deployment["spec"].get("strategy", {}).get("type") == "RollingUpdate" and bool(serving)


def _paused(deployment: Object, messages: WorkloadMessages) -> ConditionValue | None:
    """`kubectl rollout pause`: the operator does not own spec.paused, so its apply keeps it."""
    if not deployment["spec"].get("paused"):
        return None
    name, namespace = deployment["metadata"]["name"], deployment["metadata"]["namespace"]
    resume = f"`kubectl rollout resume deployment/{name} -n {namespace}`"
    message = f"somebody has paused the Deployment of {messages.workload}, so its pod is not replaced: {resume}"
    return ConditionValue(status="False", reason="Paused", message=message, stalled=True)


def _beside(pod: Object, messages: WorkloadMessages) -> str:
    """The containers beside the main one that are not ready, for a message."""
    statuses = pod.get("status", {}).get("containerStatuses") or ()
    others = [s["name"] for s in statuses if s["name"] != messages.container and not s.get("ready")]
    return f"; not ready beside it: {', '.join(sorted(others))}" if others else ""


def _refused(deployment: Object, messages: WorkloadMessages) -> ConditionValue | None:
    """The API server refuses to create the pods."""
    failure = condition_of(deployment, "ReplicaFailure")
    if failure is None or failure.get("status") != "True":
        return None
    detail = failure.get("message", "")
    namespace = deployment["metadata"]["namespace"]
    if "violates PodSecurity" in detail:
        return ConditionValue(
            status="False",
            reason="PodSecurity",
            message=f"Pod Security refuses the pod: {messages.security_remedy}: `kubectl label namespace {namespace} "
            f"pod-security.kubernetes.io/enforce=baseline --overwrite` ({detail})",
            stalled=True,
        )
    if "exceeded quota" in detail:
        message = f"a ResourceQuota of namespace {namespace} has no room for the pod: raise it or free some ({detail})"
        return ConditionValue(status="False", reason="QuotaExceeded", message=message)
    if "failed quota" in detail:
        message = (
            f"a ResourceQuota of namespace {namespace} wants each container to name its resources: set "
            "spec.lorax.resources and spec.coordinator.resources, and give the containers beside them defaults by a "
            f"LimitRange ({detail})"
        )
        return ConditionValue(status="False", reason="ResourcesRequired", message=message)
    for missing, reason, remedy in _MISSING_CLASSES:
        if missing in detail:
            message = f"the API server refuses the pod: {remedy}, then the pod is made anew ({detail})"
            return ConditionValue(status="False", reason=reason, message=message)
    return ConditionValue(
        status="False",
        reason=failure.get("reason") or "FailedCreate",
        message=f"the API server refuses the pod: {detail}",
    )


def _overdue(deployment: Object, value: ConditionValue) -> ConditionValue:
    """Stalled once the Deployment's progress deadline has passed."""
    progress = condition_of(deployment, "Progressing")
    if progress is None or progress.get("reason") != "ProgressDeadlineExceeded" or value.stalled:
        return value
    seconds = deployment["spec"].get("progressDeadlineSeconds")
    message = f"{value.message}; not up within {seconds} s"
    return ConditionValue(status=value.status, reason=value.reason, message=message, stalled=True)


def replicas(deployment: Object | None) -> LoraxReplicas | None:
    """Desired and ready pods of LoRAX's Deployment; None if it has none."""
    if deployment is None:
        return None
    ready = deployment.get("status", {}).get("readyReplicas", 0)
    return LoraxReplicas(desired=deployment["spec"].get("replicas", 1), ready=ready)
