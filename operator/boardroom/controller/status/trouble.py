"""Why a pod does not come up, with the remedy, out of what its status says."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from boardroom.controller.kinds import Object
from boardroom.controller.status.finding import Finding

SECRET_GRACE: Final = timedelta(minutes=2)
"""How long a pod may wait for a Secret that other tooling may still bring."""
_IMAGE_REASONS: Final = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})
_TRANSIENT: Final = "ErrImagePull"  # the first failure; the kubelet tries again at once


@dataclass(frozen=True, kw_only=True)
class Words:
    """How a workload and its remedies are called in messages."""

    subject: str
    container: str
    starting: str
    image_remedy: str
    unschedulable_remedy: str
    crash_remedy: str
    memory_remedy: str
    service: str
    gpu: str = ""
    """The extended resource that the pod asks for, if any."""
    device_claims: str = ""
    """The claims for devices that the pod asks for, if any, and where they are named."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A pod under examination."""

    pod: Object
    words: Words
    now: datetime

    @property
    def name(self) -> str:
        """The pod's name."""
        return str(self.pod["metadata"]["name"])

    @property
    def statuses(self) -> list[Object]:
        """Status of its containers, the main one first."""
        statuses = self.pod.get("status", {}).get("containerStatuses") or []
        return sorted(statuses, key=lambda s: (s["name"] != self.words.container, s["name"]))

    @property
    def main(self) -> Object | None:
        """Status of the main container."""
        return next((s for s in self.statuses if s["name"] == self.words.container), None)


def explain(subject: Subject) -> Finding:
    """The first policy that finds something wins; the last one always does."""
    for policy in _POLICIES:
        finding = policy(subject)
        if finding is not None:
            return finding
    return _bad("Starting", subject.words.starting + _restarts(subject.main))


def _restarts(main: Object | None) -> str:
    end = (main or {}).get("lastState", {}).get("terminated")
    if main is None or end is None:
        return ""
    return f"; it was restarted {main.get('restartCount', 0)} times, last with exit code {end.get('exitCode')}"


def _bad(reason: str, message: str, *, stalled: bool = False) -> Finding:
    return Finding(status="False", reason=reason, message=message, stalled=stalled)


def _unschedulable(subject: Subject) -> Finding | None:
    condition = condition_of(subject.pod, "PodScheduled")
    if condition is None or condition.get("status") != "False":
        return None
    words, said = subject.words, condition.get("message", "")
    if words.gpu and f"Insufficient {words.gpu}" in said:
        return _bad(
            "InsufficientGpu",
            f"no node has enough free {words.gpu} for pod {subject.name}: {words.unschedulable_remedy} ({said})",
        )
    if words.device_claims and ("claim" in said and "persistentvolumeclaim" not in said):
        return _bad(
            "DevicesNotAllocated",
            f"no node has devices for pod {subject.name} that fit {words.device_claims}: {words.unschedulable_remedy} "
            f"({said})",
        )
    if "persistentvolumeclaim" in said and "not found" in said:
        return _bad("ClaimNotFound", f"pod {subject.name} waits for a claim: create it, or name another ({said})")
    if condition.get("reason") != "Unschedulable":
        return None
    return _bad("Unschedulable", f"no node takes pod {subject.name}: {words.unschedulable_remedy} ({said})")


def _image(subject: Subject) -> Finding | None:
    for status, waiting in _waiting(subject):
        if waiting.get("reason") in _IMAGE_REASONS:
            image, said = status.get("image", ""), waiting.get("message", "")
            remedy = subject.words.image_remedy
            return _bad(
                "ImagePullFailed",
                f"image {image} of container {status['name']} can't be pulled: {remedy} ({said})",
                stalled=waiting["reason"] != _TRANSIENT,
            )
    return None


def _configuration(subject: Subject) -> Finding | None:
    for status, waiting in _waiting(subject):
        if waiting.get("reason") in ("CreateContainerConfigError", "CreateContainerError", "RunContainerError"):
            created = datetime.fromisoformat(subject.pod["metadata"]["creationTimestamp"])
            return _bad(
                "ContainerConfigError",
                f"container {status['name']} can't be made: create the Secret that it names, or mend the spec "
                f"({waiting.get('message', '')})",
                stalled=subject.now - created >= SECRET_GRACE,
            )
    return None


def _crashed(subject: Subject) -> Finding | None:
    words = subject.words
    for status in subject.statuses:
        state, last = status.get("state", {}), status.get("lastState", {})
        end = state.get("terminated") or last.get("terminated")
        if end is None or status.get("ready"):
            continue
        if end.get("reason") == "OOMKilled":
            return _bad("OutOfMemory", f"container {status['name']} was killed for memory: {words.memory_remedy}")
        if (state.get("waiting") or {}).get("reason") == "CrashLoopBackOff" or "terminated" in state:
            return _bad(
                "CrashLoop",
                f"container {status['name']} ended with exit code {end.get('exitCode')} and is restarted with growing "
                f"delay: see `kubectl logs {subject.name} -c {status['name']} --previous`; {words.crash_remedy}",
            )
    return None


def _not_answering(subject: Subject) -> Finding | None:
    main = subject.main
    if main is None or not main.get("started") or main.get("ready"):
        return None
    return _bad(
        "NotAnswering",
        f"{subject.words.service} was up and now fails its health check: it is restarted if it stays so; see "
        f"`kubectl logs {subject.name} -c {main['name']}`",
    )


def _evicted(subject: Subject) -> Finding | None:
    status = subject.pod.get("status", {})
    if status.get("phase") != "Failed":
        return None
    reason = status.get("reason") or "Failed"
    return _bad("PodFailed", f"pod {subject.name} failed ({reason}: {status.get('message', '')}); it is replaced")


def _placing(subject: Subject) -> Finding | None:
    """Before any container runs there is nothing to load a model yet."""
    main = subject.main
    if main is None:
        # The scheduler says nothing of a pod whose claims don't exist: it does not even try it.
        claims = subject.words.device_claims
        beside = f" and for its devices: see that {claims} exists in its namespace" if claims else ""
        return _bad("Starting", f"pod {subject.name} waits for a node{beside}")
    waiting = main.get("state", {}).get("waiting") or {}
    if waiting.get("reason") == "ContainerCreating":
        return _bad("Starting", f"the node pulls image {main.get('image', '')} and mounts the volumes")
    return None


_POLICIES: Final[tuple[Callable[[Subject], Finding | None], ...]] = (
    _evicted,
    _unschedulable,
    _image,
    _configuration,
    _crashed,
    _not_answering,
    _placing,
)


def _waiting(subject: Subject) -> Iterable[tuple[Object, Object]]:
    for status in subject.statuses:
        waiting = status.get("state", {}).get("waiting")
        if waiting:
            yield status, waiting


def condition_of(obj: Object, type_: str) -> dict[str, Any] | None:
    """One condition of a live object."""
    conditions = obj.get("status", {}).get("conditions") or ()
    return next((c for c in conditions if c["type"] == type_), None)
