"""Whether a Deployment does what it should, and if not, why."""

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
"""What admission says of a class that does not exist, the reason for it, and what helps."""


def workload(deployment: Object | None, pods: list[Object], words: WorkloadMessages, now: datetime) -> ConditionValue:
    """What stands for a Deployment; `pods` are those of its selector."""
    if deployment is None or not deployment.get("status", {}).get("observedGeneration"):
        return ConditionValue(
            status="False", reason="Creating", message=f"the Deployment of {words.subject} is being created"
        )
    return _standing(deployment, pods, words, now)


def _standing(deployment: Object, pods: list[Object], words: WorkloadMessages, now: datetime) -> ConditionValue:
    serving = [pod for pod in pods if _up(pod, words.container)]
    if deployment["status"]["observedGeneration"] < deployment["metadata"].get("generation", 0):
        return _updating(deployment, serving, None, words)
    held = _paused(deployment, words) or _refused(deployment, words)
    updated = deployment["status"].get("updatedReplicas", 0)
    # By these counts `kubectl rollout status` goes too.
    if not updated or deployment["status"].get("replicas", 0) > updated:
        down = [pod for pod in pods if pod not in serving] if updated else []
        return _rolling(deployment, serving, held or _cause(deployment, down, words, now), words)
    up = _counted(deployment, serving)
    wanted = deployment["spec"].get("replicas", 1)
    if up and len(up) >= wanted:
        return ConditionValue(status="True", reason="Ready", message=f"{words.subject} is up{_beside(up[0], words)}")
    starting = ConditionValue(status="False", reason="Starting", message=f"{words.subject} waits for its pod")
    cause = held or _cause(deployment, [pod for pod in pods if pod not in up], words, now) or starting
    if not up:
        return cause
    message = f"{words.subject} is up in {len(up)} of {wanted} pods; of another: {cause.message}"
    return ConditionValue(status="True", reason="SomeReady", message=message, changing=True)


def _rolling(
    deployment: Object, serving: list[Object], cause: ConditionValue | None, words: WorkloadMessages
) -> ConditionValue:
    """Pods of an earlier template are still to go, or none of the newest has come."""
    if cause is not None and not _rolls(deployment, serving):
        return cause
    return _updating(deployment, serving, cause, words)


def _counted(deployment: Object, serving: list[Object]) -> list[Object]:
    """Those of these pods that the Deployment counts as ready too, the newest first.

    The Deployment may be heard before its pods are: a pod whose end is not heard yet is ready in no count any more.
    """
    newest = sorted(serving, key=_age, reverse=True)
    ready = [pod for pod in newest if _is_ready(pod)]
    with_coordinator_not_ready = ready[deployment["status"].get("readyReplicas", 0) :]
    return [pod for pod in newest if pod not in with_coordinator_not_ready]


def _age(pod: Object) -> tuple[str, str]:
    return pod["metadata"]["creationTimestamp"], pod["metadata"]["name"]


def _is_ready(pod: Object) -> bool:
    return (condition_of(pod, "Ready") or {}).get("status") == "True"


def _cause(deployment: Object, pods: list[Object], words: WorkloadMessages, now: datetime) -> ConditionValue | None:
    """Why the newest of these pods, which are not up, is not; None where there is none but what goes."""
    down = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    if not down:
        return None
    return _overdue(deployment, explain(PodUnderTest(pod=max(down, key=_age), words=words, now=now)))


def _up(pod: Object, container: str) -> bool:
    if "deletionTimestamp" in pod["metadata"] or is_node_lost(pod):
        return False
    statuses = pod.get("status", {}).get("containerStatuses") or ()
    return any(s["name"] == container and s.get("ready") for s in statuses)


def _updating(
    deployment: Object, serving: list[Object], cause: ConditionValue | None, words: WorkloadMessages
) -> ConditionValue:
    of_new = f"; of the new one: {cause.message}" if cause else ""
    if _rolls(deployment, serving):
        message = f"{words.subject} is up; its pod is being replaced{of_new}"
        stalled = cause is not None and cause.stalled
        return ConditionValue(status="True", reason="Updating", message=message, stalled=stalled, changing=True)
    return ConditionValue(status="False", reason="Updating", message=f"the pod of {words.subject} is being replaced")


def _rolls(deployment: Object, serving: list[Object]) -> bool:
    """Whether the pods before serve until the new ones do."""
    return deployment["spec"].get("strategy", {}).get("type") == "RollingUpdate" and bool(serving)


def _paused(deployment: Object, words: WorkloadMessages) -> ConditionValue | None:
    """The field is not ours, so no apply of ours takes it away; `kubectl rollout pause` is somebody's wish."""
    if not deployment["spec"].get("paused"):
        return None
    name, namespace = deployment["metadata"]["name"], deployment["metadata"]["namespace"]
    resume = f"`kubectl rollout resume deployment/{name} -n {namespace}`"
    message = f"somebody has paused the Deployment of {words.subject}, so its pod is not replaced: {resume}"
    return ConditionValue(status="False", reason="Paused", message=message, stalled=True)


def _beside(pod: Object, words: WorkloadMessages) -> str:
    """What is wrong with the containers beside the main one."""
    statuses = pod.get("status", {}).get("containerStatuses") or ()
    others = [s["name"] for s in statuses if s["name"] != words.container and not s.get("ready")]
    return f"; not ready beside it: {', '.join(sorted(others))}" if others else ""


def _refused(deployment: Object, words: WorkloadMessages) -> ConditionValue | None:
    """Pods that the API server does not let come into being."""
    failure = condition_of(deployment, "ReplicaFailure")
    if failure is None or failure.get("status") != "True":
        return None
    said = failure.get("message", "")
    namespace = deployment["metadata"]["namespace"]
    if "violates PodSecurity" in said:
        return ConditionValue(
            status="False",
            reason="PodSecurity",
            message=f"Pod Security refuses the pod: {words.security_remedy}: `kubectl label namespace {namespace} "
            f"pod-security.kubernetes.io/enforce=baseline --overwrite` ({said})",
            stalled=True,
        )
    if "exceeded quota" in said:
        message = f"a ResourceQuota of namespace {namespace} has no room for the pod: raise it or free some ({said})"
        return ConditionValue(status="False", reason="QuotaExceeded", message=message)
    if "failed quota" in said:
        message = (
            f"a ResourceQuota of namespace {namespace} wants each container to name its resources: set "
            "spec.lorax.resources and spec.coordinator.resources, and give the containers beside them defaults by a "
            f"LimitRange ({said})"
        )
        return ConditionValue(status="False", reason="ResourcesRequired", message=message)
    for missing, reason, remedy in _MISSING_CLASSES:
        if missing in said:
            message = f"the API server refuses the pod: {remedy}, then the pod is made anew ({said})"
            return ConditionValue(status="False", reason=reason, message=message)
    return ConditionValue(
        status="False",
        reason=failure.get("reason") or "FailedCreate",
        message=f"the API server refuses the pod: {said}",
    )


def _overdue(deployment: Object, value: ConditionValue) -> ConditionValue:
    """A start that takes longer than the Deployment's deadline will not heal by itself."""
    progress = condition_of(deployment, "Progressing")
    if progress is None or progress.get("reason") != "ProgressDeadlineExceeded" or value.stalled:
        return value
    seconds = deployment["spec"].get("progressDeadlineSeconds")
    message = f"{value.message}; not up within {seconds} s"
    return ConditionValue(status=value.status, reason=value.reason, message=message, stalled=True)


def replicas(deployment: Object | None) -> LoraxReplicas | None:
    """The pods that a Deployment should have and has."""
    if deployment is None:
        return None
    ready = deployment.get("status", {}).get("readyReplicas", 0)
    return LoraxReplicas(desired=deployment["spec"].get("replicas", 1), ready=ready)
