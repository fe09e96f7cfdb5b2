"""Whether a Deployment does what it should, and if not, why."""

from datetime import datetime
from typing import Final

from boardroom.api.status import LoraxReplicas
from boardroom.controller.kinds import Object
from boardroom.controller.status.finding import Finding
from boardroom.controller.status.trouble import Subject, Words, condition_of, explain

_MISSING_CLASSES: Final = (
    (
        "no PriorityClass with name",
        "PriorityClassNotFound",
        "create the PriorityClass or change spec.lorax.priorityClassName",
    ),
    (
        "RuntimeClass",
        "RuntimeClassNotFound",
        "create the RuntimeClass or change spec.lorax.runtimeClassName",
    ),
)
"""What admission says of a class that does not exist, the reason for it, and what helps."""


def workload(deployment: Object | None, pods: list[Object], words: Words, now: datetime) -> Finding:
    """What stands for a Deployment; `pods` are those of its selector."""
    if deployment is None or not deployment.get("status", {}).get("observedGeneration"):
        return Finding(status="False", reason="Creating", message=f"the Deployment of {words.subject} is being created")
    refused = _refused(deployment, words)
    if refused is not None:
        return refused
    up = [pod for pod in pods if _up(pod, words.container)]
    if _rolling(deployment):
        return _updating(deployment, up, words)
    wanted = deployment["spec"].get("replicas", 1)
    if up and len(up) >= wanted:
        return Finding(status="True", reason="Ready", message=f"{words.subject} is up{_beside(up[0], words)}")
    down = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"] and pod not in up]
    cause = Finding(status="False", reason="Starting", message=f"{words.subject} waits for its pod")
    if down:
        newest = max(down, key=lambda pod: (pod["metadata"]["creationTimestamp"], pod["metadata"]["name"]))
        cause = _overdue(deployment, explain(Subject(pod=newest, words=words, now=now)))
    if not up:
        return cause
    message = f"{words.subject} is up in {len(up)} of {wanted} pods; of another: {cause.message}"
    return Finding(status="True", reason="SomeReady", message=message, changing=True)


def _up(pod: Object, container: str) -> bool:
    if "deletionTimestamp" in pod["metadata"]:
        return False
    statuses = pod.get("status", {}).get("containerStatuses") or ()
    return any(s["name"] == container and s.get("ready") for s in statuses)


def _rolling(deployment: Object) -> bool:
    """Whether the Deployment controller has yet to act on the newest spec, or is about it."""
    status = deployment.get("status", {})
    wanted = deployment["spec"].get("replicas", 1)
    observed = status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    return not observed or status.get("updatedReplicas", 0) < wanted


def _updating(deployment: Object, up: list[Object], words: Words) -> Finding:
    if deployment["spec"].get("strategy", {}).get("type") == "RollingUpdate" and up:
        message = f"{words.subject} is up; its pod is being replaced"
        return Finding(status="True", reason="Updating", message=message, changing=True)
    return Finding(status="False", reason="Updating", message=f"the pod of {words.subject} is being replaced")


def _beside(pod: Object, words: Words) -> str:
    """What is wrong with the containers beside the main one."""
    statuses = pod.get("status", {}).get("containerStatuses") or ()
    others = [s["name"] for s in statuses if s["name"] != words.container and not s.get("ready")]
    return f"; not ready beside it: {', '.join(sorted(others))}" if others else ""


def _refused(deployment: Object, words: Words) -> Finding | None:
    """Pods that the API server does not let come into being."""
    failure = condition_of(deployment, "ReplicaFailure")
    if failure is None or failure.get("status") != "True":
        return None
    said = failure.get("message", "")
    namespace = deployment["metadata"]["namespace"]
    if "violates PodSecurity" in said:
        return Finding(
            status="False",
            reason="PodSecurity",
            message=f"Pod Security refuses the pod: {words.security_remedy}: `kubectl label namespace {namespace} "
            f"pod-security.kubernetes.io/enforce=baseline --overwrite` ({said})",
            stalled=True,
        )
    if "exceeded quota" in said:
        message = f"a ResourceQuota of namespace {namespace} has no room for the pod: raise it or free some ({said})"
        return Finding(status="False", reason="QuotaExceeded", message=message)
    for missing, reason, remedy in _MISSING_CLASSES:
        if missing in said:
            message = f"the API server refuses the pod: {remedy}, then the pod is made anew ({said})"
            return Finding(status="False", reason=reason, message=message)
    return Finding(
        status="False",
        reason=failure.get("reason") or "FailedCreate",
        message=f"the API server refuses the pod: {said}",
    )


def _overdue(deployment: Object, finding: Finding) -> Finding:
    """A start that takes longer than the Deployment's deadline will not heal by itself."""
    progress = condition_of(deployment, "Progressing")
    if progress is None or progress.get("reason") != "ProgressDeadlineExceeded" or finding.stalled:
        return finding
    seconds = deployment["spec"].get("progressDeadlineSeconds")
    message = f"{finding.message}; not up within {seconds} s"
    return Finding(status=finding.status, reason=finding.reason, message=message, stalled=True)


def replicas(deployment: Object | None) -> LoraxReplicas | None:
    """The pods that a Deployment should have and has."""
    if deployment is None:
        return None
    ready = deployment.get("status", {}).get("readyReplicas", 0)
    return LoraxReplicas(desired=deployment["spec"].get("replicas", 1), ready=ready)
