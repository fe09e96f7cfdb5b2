"""Why a pod does not come up, with the remedy, out of what its status says."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from boardroom.controller.status.condition_value import ConditionValue
from boardroom.controller.status.pods import condition_of, is_node_lost, was_ready
from boardroom.kube.kinds import Object

SECRET_GRACE: Final = timedelta(minutes=2)
"""How long a pod may wait for a Secret that other tooling may still bring."""
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
"""What the scheduler says of claims."""
_TRANSIENT: Final = "ErrImagePull"  # the first failure; the kubelet tries again at once


@dataclass(frozen=True, kw_only=True)
class WorkloadMessages:
    """How a workload and its remedies are called in messages."""

    subject: str
    container: str
    starting: str
    image_remedy: str
    unschedulable_remedy: str
    crash_remedy: str
    memory_remedy: str
    start_remedy: str
    node_remedy: str
    security_remedy: str
    service: str
    volumes: str = ""
    """What helps where a claim of the pod has no volume."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    """The field that names each Secret."""
    needs: str = ""
    """What it must be given before it can be ready, if anything, and how."""
    gpu: str = ""
    """The extended resource that the pod asks for, if any."""
    device_claims: str = ""
    """The claims for devices that the pod asks for, if any, and where they are named."""


@dataclass(frozen=True, kw_only=True)
class PodUnderTest:
    """A pod under examination."""

    pod: Object
    words: WorkloadMessages
    now: datetime

    @property
    def name(self) -> str:
        """The pod's name."""
        return str(self.pod["metadata"]["name"])

    @property
    def statuses(self) -> list[Object]:
        """Status of its containers, the main one first, those that run before it last."""
        status = self.pod.get("status", {})
        statuses = status.get("containerStatuses") or []
        ordered = sorted(statuses, key=lambda s: (s["name"] != self.words.container, s["name"]))
        return [*ordered, *(status.get("initContainerStatuses") or [])]

    @property
    def waits_long(self) -> bool:
        """Whether it has been on its node for longer than other tooling may need to bring what it lacks."""
        placed = (condition_of(self.pod, "PodScheduled") or {}).get("lastTransitionTime")
        since = datetime.fromisoformat(placed or self.pod["metadata"]["creationTimestamp"])
        return self.now - since >= SECRET_GRACE

    @property
    def main(self) -> Object | None:
        """Status of the main container."""
        return next((s for s in self.statuses if s["name"] == self.words.container), None)


def explain(subject: PodUnderTest) -> ConditionValue:
    """The first policy that finds something wins; the last one always does."""
    for policy in _POLICIES:
        value = policy(subject)
        if value is not None:
            return value
    return _not_ready("Starting", subject.words.starting + _restarts(subject.main) + _needs(subject.words))


def _restarts(main: Object | None) -> str:
    end = (main or {}).get("lastState", {}).get("terminated")
    if main is None or end is None:
        return ""
    return f"; it was restarted {main.get('restartCount', 0)} times, last with exit code {end.get('exitCode')}"


def _needs(words: WorkloadMessages) -> str:
    return f"; {words.needs}" if words.needs else ""


def _not_ready(reason: str, message: str, *, stalled: bool = False) -> ConditionValue:
    return ConditionValue(status="False", reason=reason, message=message, stalled=stalled)


def _unschedulable(subject: PodUnderTest) -> ConditionValue | None:
    condition = condition_of(subject.pod, "PodScheduled")
    if condition is None or condition.get("status") != "False":
        return None
    words, said = subject.words, condition.get("message", "")
    if condition.get("reason") == "SchedulingGated":
        gates = "whoever put its scheduling gates there (a job queue such as Kueue?) has to lift them"
        return _not_ready("SchedulingGated", f"pod {subject.name} is held back: {gates} ({said})")
    reason, message = _unplaced(words, said)
    return _not_ready(reason, f"{message.format(pod=f'pod {subject.name}')} ({said})")


def _unplaced(words: WorkloadMessages, said: str) -> tuple[str, str]:
    """Reason and remedy out of the scheduler's own words; {pod} stands for the pod."""
    if words.gpu and f"Insufficient {words.gpu}" in said:
        return "InsufficientGpu", f"no node has enough free {words.gpu} for {{pod}}: {words.unschedulable_remedy}"
    if words.device_claims and "claim" in said and "persistentvolumeclaim" not in said.lower():
        fit = f"no node has devices for {{pod}} that fit {words.device_claims}"
        return "DevicesNotAllocated", f"{fit}: {words.unschedulable_remedy}"
    if "persistentvolumeclaim" in said and ("not found" in said or "is being deleted" in said):
        return "ClaimNotFound", "{pod} waits for a claim: create it, or name another"
    if any(words_ in said for words_ in _UNBOUND):
        return "ClaimNotBound", f"{{pod}} waits for a claim without a volume: {words.volumes}"
    if any(words_ in said for words_ in _ELSEWHERE):
        remedy = f"{words.unschedulable_remedy}; or delete the claim, so that it gets a volume where such a node is"
        return "VolumeElsewhere", f"the volume of {{pod}} can't be reached from a node that would take it: {remedy}"
    return "Unschedulable", f"no node takes {{pod}}: {words.unschedulable_remedy}"


def _image(subject: PodUnderTest) -> ConditionValue | None:
    for status, waiting in _waiting(subject):
        if waiting.get("reason") in _IMAGE_REASONS:
            image, said = status.get("image", ""), waiting.get("message", "")
            remedy = subject.words.image_remedy
            return _not_ready(
                "ImagePullFailed",
                f"image {image} of container {status['name']} can't be pulled: {remedy} ({said})",
                stalled=waiting["reason"] != _TRANSIENT,
            )
    return None


def _configuration(subject: PodUnderTest) -> ConditionValue | None:
    for status, waiting in _waiting(subject):
        if waiting.get("reason") == "CreateContainerConfigError":
            return _misses(subject, status, waiting.get("message", ""))
        if waiting.get("reason") in ("CreateContainerError", "RunContainerError"):
            return _not_started(subject, status, waiting.get("message", ""))
    return None


def _misses(subject: PodUnderTest, status: Object, said: str) -> ConditionValue:
    """What the container's environment is taken from is not there; the kubelet looks again by itself."""
    secrets = subject.words.secrets.items()
    where = next((f" ({field})" for name, field in secrets if f'"{name}"' in said or said.endswith(f"/{name}")), "")
    if said.startswith("secret ") and said.endswith("not found"):
        reason, remedy = "SecretNotFound", f"create that Secret{where}, or name another"
    elif said.startswith("couldn't find key"):
        reason, remedy = "SecretKeyNotFound", f"put that key into the Secret{where}, or name another"
    else:
        reason, remedy = "ContainerConfigError", "mend what it names"
    message = f"container {status['name']} can't be made: {remedy} ({said})"
    return _not_ready(reason, message, stalled=subject.waits_long)


def _not_started(subject: PodUnderTest, status: Object, said: str) -> ConditionValue:
    if "OOM-killed" in said:  # runc's words where there was not even room to start
        return _out_of_memory(subject, status)
    return _not_ready(
        "ContainerStartFailed",
        f"the node can't start container {status['name']}: {subject.words.start_remedy} ({said})",
        stalled=subject.waits_long,
    )


def _out_of_memory(subject: PodUnderTest, status: Object) -> ConditionValue:
    message = f"container {status['name']} was killed for memory: {subject.words.memory_remedy}"
    return _not_ready("OutOfMemory", message)


def _crashed(subject: PodUnderTest) -> ConditionValue | None:
    words = subject.words
    for status in subject.statuses:
        state, last = status.get("state", {}), status.get("lastState", {})
        end = state.get("terminated") or last.get("terminated")
        if end is None or status.get("ready"):
            continue
        if end.get("reason") == "OOMKilled":
            return _out_of_memory(subject, status)
        if end.get("reason") in ("StartError", "ContainerCannotRun"):
            return _not_started(subject, status, end.get("message", ""))
        if (state.get("waiting") or {}).get("reason") == "CrashLoopBackOff" or "terminated" in state:
            return _not_ready(
                "CrashLoop",
                f"container {status['name']} ended with exit code {end.get('exitCode')} and is restarted with growing "
                f"delay: see `kubectl logs {subject.name} -c {status['name']} --previous`"
                + (f"; {words.crash_remedy}" if status["name"] == words.container else ""),
            )
    return None


def _not_answering(subject: PodUnderTest) -> ConditionValue | None:
    main = subject.main
    if main is None or main.get("ready") or not was_ready(subject.pod, main):
        return None
    return _not_ready(
        "NotAnswering",
        f"{subject.words.service} was up and now fails its health check: it is restarted if it stays so; see "
        f"`kubectl logs {subject.name} -c {main['name']}`{_needs(subject.words)}",
    )


def _evicted(subject: PodUnderTest) -> ConditionValue | None:
    status = subject.pod.get("status", {})
    if status.get("phase") != "Failed":
        return None
    reason, said = status.get("reason") or "Failed", status.get("message", "")
    if reason in ("Evicted", "Preempting", "Preempted"):
        message = f"pod {subject.name} was evicted, and another takes its place: {subject.words.node_remedy} ({said})"
        return _not_ready("Evicted", message)
    return _not_ready("PodFailed", f"pod {subject.name} failed, and another takes its place ({reason}: {said})")


def _lost(subject: PodUnderTest) -> ConditionValue | None:
    if not is_node_lost(subject.pod):
        return None
    return _not_ready(
        "NodeLost",
        f"the node of pod {subject.name} reports no more: see `kubectl get nodes`; another pod takes its place once "
        "the node is given up, after 5 minutes or when its Node is deleted",
    )


def _placing(subject: PodUnderTest) -> ConditionValue | None:
    """Before any container runs there is nothing to load a model yet."""
    main = subject.main
    if main is None:
        # The scheduler says nothing of a pod whose claims don't exist: it does not even try it.
        claims = subject.words.device_claims
        beside = f" and for its devices: see that {claims} exists in its namespace" if claims else ""
        return _not_ready("Starting", f"pod {subject.name} waits for a node{beside}")
    waiting = main.get("state", {}).get("waiting") or {}
    if waiting.get("reason") == "PodInitializing":
        return _not_ready("Starting", f"what has to run before {subject.words.service} in pod {subject.name} runs")
    if waiting.get("reason") != "ContainerCreating":
        return None
    # The kubelet says so from 1.29 on: first the volumes and the network, then the image.
    prepared = condition_of(subject.pod, "PodReadyToStartContainers")
    if prepared is None or prepared.get("status") == "True":
        return _not_ready("Starting", f"the node pulls image {main.get('image', '')} and mounts the volumes")
    if not subject.waits_long:
        return _not_ready("Starting", f"the node mounts the volumes of pod {subject.name}")
    return _not_ready(
        "NotPrepared",
        f"the node gets pod {subject.name}'s volumes, network or runtime not ready: see `kubectl describe pod "
        f"{subject.name}`; {subject.words.start_remedy}",
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


def _waiting(subject: PodUnderTest) -> Iterable[tuple[Object, Object]]:
    for status in subject.statuses:
        waiting = status.get("state", {}).get("waiting")
        if waiting:
            yield status, waiting
