"""Why a pod is not ready, with the remedy: a chain of policies over the pod's status."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from boardroom.controller.status.condition_value import ConditionValue
from boardroom.controller.status.pods import condition_of, is_node_lost, was_ready
from boardroom.kube.kinds import Object

SECRET_GRACE: Final = timedelta(minutes=2)
"""How long a pod may wait for a Secret that other tooling may still create."""
_IMAGE_REASONS: Final = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "ImageInspectError",
        "RegistryUnavailable",
        "SignatureValidationFailed",
    }
)
_UNBOUND: Final = (
    "unbound immediate PersistentVolumeClaims",
    "didn't find available persistent volumes",
    "bound to non-existent",
    "storageclass",
)
_ELSEWHERE: Final = ("PersistentVolume's node affinity", "volume node affinity conflict", "no available volume zone")
"""Parts of the scheduler's messages about claims."""
_TRANSIENT: Final = "ErrImagePull"  # the first failure; the kubelet tries again at once


@dataclass(frozen=True, kw_only=True)
class WorkloadMessages:
    """The name of a workload and its remedies, as messages have them."""

    workload: str
    container: str
    starting: str
    image_remedy: str
    unschedulable_remedy: str
    crash_remedy: str
    memory_remedy: str
    start_remedy: str
    node_remedy: str
    security_remedy: str
    volumes: str = ""
    """The remedy for a claim without a volume."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    """The field of spec that names each Secret, by the Secret's name."""
    needs: str = ""
    """Prerequisites of the workload's readiness, and how to provide them; empty if there are none."""
    gpu: str = ""
    """The extended resource that the pod requests; empty if none."""
    device_claims: str = ""
    """The resource claims of the pod, for messages; empty if none."""


@dataclass(frozen=True, kw_only=True)
class PodUnderTest:
    """A pod that is not ready, and the time at which it is examined."""

    live: Object
    messages: WorkloadMessages
    now: datetime

    @property
    def name(self) -> str:
        """The pod's name."""
        return str(self.live["metadata"]["name"])

    @property
    def statuses(self) -> list[Object]:
        """Status of the containers: the main one first, init containers last."""
        status = self.live.get("status", {})
        statuses = status.get("containerStatuses") or []
        ordered = sorted(statuses, key=lambda s: (s["name"] != self.messages.container, s["name"]))
        return [*ordered, *(status.get("initContainerStatuses") or [])]

    @property
    def waits_long(self) -> bool:
        """Whether the pod was scheduled longer ago than SECRET_GRACE."""
        placed = (condition_of(self.live, "PodScheduled") or {}).get("lastTransitionTime")
        since = datetime.fromisoformat(placed or self.live["metadata"]["creationTimestamp"])
        return self.now - since >= SECRET_GRACE

    @property
    def main(self) -> Object | None:
        """Status of the main container."""
        return next((s for s in self.statuses if s["name"] == self.messages.container), None)


def explain(pod: PodUnderTest) -> ConditionValue:
    """The value of the first policy that finds a problem; Starting if none does."""
    for policy in _POLICIES:
        value = policy(pod)
        if value is not None:
            return value
    return _not_ready("Starting", pod.messages.starting + _restarts(pod.main) + _needs(pod.messages))


def _restarts(main: Object | None) -> str:
    end = (main or {}).get("lastState", {}).get("terminated")
    if main is None or end is None:
        return ""
    return f"; it was restarted {main.get('restartCount', 0)} times, last with exit code {end.get('exitCode')}"


def _needs(messages: WorkloadMessages) -> str:
    return f"; {messages.needs}" if messages.needs else ""


def _not_ready(reason: str, message: str, *, stalled: bool = False) -> ConditionValue:
    return ConditionValue(status="False", reason=reason, message=message, stalled=stalled)


def _unschedulable(pod: PodUnderTest) -> ConditionValue | None:
    condition = condition_of(pod.live, "PodScheduled")
    if condition is None or condition.get("status") != "False":
        return None
    messages, detail = pod.messages, condition.get("message", "")
    if condition.get("reason") == "SchedulingGated":
        gates = "whoever put its scheduling gates there (a job queue such as Kueue?) has to lift them"
        return _not_ready("SchedulingGated", f"pod {pod.name} is held back: {gates} ({detail})")
    reason, message = _unplaced(messages, detail)
    return _not_ready(reason, f"{message.format(pod=f'pod {pod.name}')} ({detail})")


def _unplaced(messages: WorkloadMessages, detail: str) -> tuple[str, str]:
    """Reason and message for a message of the scheduler; {pod} stands for the pod."""
    if messages.gpu and f"Insufficient {messages.gpu}" in detail:
        return "InsufficientGpu", f"no node has enough free {messages.gpu} for {{pod}}: {messages.unschedulable_remedy}"
    if messages.device_claims and "claim" in detail and "persistentvolumeclaim" not in detail.lower():
        fit = f"no node has devices for {{pod}} that fit {messages.device_claims}"
        return "DevicesNotAllocated", f"{fit}: {messages.unschedulable_remedy}"
    if "persistentvolumeclaim" in detail and ("not found" in detail or "is being deleted" in detail):
        return "ClaimNotFound", "{pod} waits for a claim: create it, or name another"
    if any(fragment in detail for fragment in _UNBOUND):
        return "ClaimNotBound", f"{{pod}} waits for a claim without a volume: {messages.volumes}"
    if any(fragment in detail for fragment in _ELSEWHERE):
        remedy = f"{messages.unschedulable_remedy}; or delete the claim, so that it gets a volume where such a node is"
        return "VolumeElsewhere", f"the volume of {{pod}} can't be reached from a node that would take it: {remedy}"
    return "Unschedulable", f"no node takes {{pod}}: {messages.unschedulable_remedy}"


def _image(pod: PodUnderTest) -> ConditionValue | None:
    for status, waiting in _waiting(pod):
        if waiting.get("reason") in _IMAGE_REASONS:
            image, detail = status.get("image", ""), waiting.get("message", "")
            remedy = pod.messages.image_remedy
            return _not_ready(
                "ImagePullFailed",
                f"image {image} of container {status['name']} can't be pulled: {remedy} ({detail})",
                stalled=waiting["reason"] != _TRANSIENT,
            )
    return None


def _configuration(pod: PodUnderTest) -> ConditionValue | None:
    for status, waiting in _waiting(pod):
        if waiting.get("reason") == "CreateContainerConfigError":
            return _missing_configuration(pod, status, waiting.get("message", ""))
        if waiting.get("reason") in ("CreateContainerError", "RunContainerError"):
            return _not_started(pod, status, waiting.get("message", ""))
    return None


def _missing_configuration(pod: PodUnderTest, status: Object, detail: str) -> ConditionValue:
    """A Secret or ConfigMap of the container's environment is missing; the kubelet retries by itself."""
    secrets = pod.messages.secrets.items()
    where = next((f" ({field})" for name, field in secrets if f'"{name}"' in detail or detail.endswith(f"/{name}")), "")
    if detail.startswith("secret ") and detail.endswith("not found"):
        reason, remedy = "SecretNotFound", f"create that Secret{where}, or name another"
    elif detail.startswith("couldn't find key"):
        reason, remedy = "SecretKeyNotFound", f"put that key into the Secret{where}, or name another"
    else:
        reason, remedy = "ContainerConfigError", "mend what it names"
    message = f"container {status['name']} can't be made: {remedy} ({detail})"
    return _not_ready(reason, message, stalled=pod.waits_long)


def _not_started(pod: PodUnderTest, status: Object, detail: str) -> ConditionValue:
    if "OOM-killed" in detail:  # runc's message if memory does not even suffice to start
        return _out_of_memory(pod, status)
    return _not_ready(
        "ContainerStartFailed",
        f"the node can't start container {status['name']}: {pod.messages.start_remedy} ({detail})",
        stalled=pod.waits_long,
    )


def _out_of_memory(pod: PodUnderTest, status: Object) -> ConditionValue:
    message = f"container {status['name']} was killed for memory: {pod.messages.memory_remedy}"
    return _not_ready("OutOfMemory", message)


def _crashed(pod: PodUnderTest) -> ConditionValue | None:
    messages = pod.messages
    for status in pod.statuses:
        state, last = status.get("state", {}), status.get("lastState", {})
        end = state.get("terminated") or last.get("terminated")
        if end is None or status.get("ready"):
            continue
        if end.get("reason") == "OOMKilled":
            return _out_of_memory(pod, status)
        if end.get("reason") in ("StartError", "ContainerCannotRun"):
            return _not_started(pod, status, end.get("message", ""))
        if (state.get("waiting") or {}).get("reason") == "CrashLoopBackOff" or "terminated" in state:
            return _not_ready(
                "CrashLoop",
                f"container {status['name']} ended with exit code {end.get('exitCode')} and is restarted with growing "
                f"delay: see `kubectl logs {pod.name} -c {status['name']} --previous`"
                + (f"; {messages.crash_remedy}" if status["name"] == messages.container else ""),
            )
    return None


def _not_answering(pod: PodUnderTest) -> ConditionValue | None:
    main = pod.main
    if main is None or main.get("ready") or not was_ready(pod.live, main):
        return None
    return _not_ready(
        "NotAnswering",
        f"{pod.messages.workload} was up and now fails its health check: it is restarted if it stays so; see "
        f"`kubectl logs {pod.name} -c {main['name']}`{_needs(pod.messages)}",
    )


def _evicted(pod: PodUnderTest) -> ConditionValue | None:
    status = pod.live.get("status", {})
    if status.get("phase") != "Failed":
        return None
    reason, detail = status.get("reason") or "Failed", status.get("message", "")
    if reason in ("Evicted", "Preempting", "Preempted"):
        message = f"pod {pod.name} was evicted, and another takes its place: {pod.messages.node_remedy} ({detail})"
        return _not_ready("Evicted", message)
    return _not_ready("PodFailed", f"pod {pod.name} failed, and another takes its place ({reason}: {detail})")


def _lost(pod: PodUnderTest) -> ConditionValue | None:
    if not is_node_lost(pod.live):
        return None
    return _not_ready(
        "NodeLost",
        f"the node of pod {pod.name} reports no more: see `kubectl get nodes`; another pod takes its place once "
        "the node is given up, after 5 minutes or when its Node is deleted",
    )


def _placing(pod: PodUnderTest) -> ConditionValue | None:
    """The pod has no running container yet: it is scheduled, or its node prepares it."""
    main = pod.main
    if main is None:
        # The scheduler sets no condition for a pod whose claims don't exist.
        claims = pod.messages.device_claims
        beside = f" and for its devices: see that {claims} exists in its namespace" if claims else ""
        return _not_ready("Starting", f"pod {pod.name} waits for a node{beside}")
    waiting = main.get("state", {}).get("waiting") or {}
    if waiting.get("reason") == "PodInitializing":
        return _not_ready("Starting", f"what has to run before {pod.messages.workload} in pod {pod.name} runs")
    if waiting.get("reason") != "ContainerCreating":
        return None
    # Set by kubelets from 1.29 on: volumes and network are prepared before the image is pulled.
    prepared = condition_of(pod.live, "PodReadyToStartContainers")
    if prepared is None or prepared.get("status") == "True":
        return _not_ready("Starting", f"the node pulls image {main.get('image', '')} and mounts the volumes")
    if not pod.waits_long:
        return _not_ready("Starting", f"the node mounts the volumes of pod {pod.name}")
    return _not_ready(
        "NotPrepared",
        f"the node gets pod {pod.name}'s volumes, network or runtime not ready: see `kubectl describe pod "
        f"{pod.name}`; {pod.messages.start_remedy}",
    )


_POLICIES: Final[tuple[Callable[[PodUnderTest], ConditionValue | None], ...]] = (
    _evicted,
    _lost,
    _unschedulable,
    _image,
    _configuration,
    _crashed,
    _not_answering,
    _placing,
)


def _waiting(pod: PodUnderTest) -> Iterable[tuple[Object, Object]]:
    for status in pod.statuses:
        waiting = status.get("state", {}).get("waiting")
        if waiting:
            yield status, waiting
