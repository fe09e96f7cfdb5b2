"""The state of an adapter on a LoRAX server, and its transitions by event. Pure.

LoRAX tells nothing about its adapters, every request is a load, and every load that fails evicts a good adapter (idle
eviction, probe is a load: docs/lorax.md). So an adapter's state comes from events only: the results of probes and
questions, the sidecar's reports about files, and the ends of LoRAX. The base model is one more adapter, without a path
and without files.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from boardroom.adapters.protocol import MISSING, AdapterFiles
from boardroom.coordinator.backends.adapter_failures import delay, exceeds_capacity, failure_reason
from boardroom.coordinator.backends.incarnation import CHANGED, NO_REPORT, UNCONFIRMED
from boardroom.engine.errors import AdapterFailed, EngineError, EngineTimeout, GenerationFailed

COLD_QUEUE_MS: Final = 20.0
"""LoRAX loads an adapter while its request queues, and x-queue-time is the only sign of the load. If an adapter has not
answered yet, a longer wait counts as its load. If it has, the request waited for the GPU."""

DOWNLOADING: Final = "Downloading"
_ONLY_READ_ONCE: Final = frozenset({MISSING, "AdapterInvalid"})
"""Problems of files that LoRAX does not read again: an adapter that it has loaded goes on."""


def load_ms(queue_ms: float | None) -> int | None:
    """The load time of an adapter in milliseconds, if its first answer waited `queue_ms` in the queue."""
    return None if queue_ms is None or queue_ms < COLD_QUEUE_MS else round(queue_ms)


class AdapterPhase(StrEnum):
    """unknown: no probe since LoRAX started. ready: an answer since then. failed: LoRAX could not load the adapter."""

    UNKNOWN = "unknown"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterState:
    """The state of an adapter on a server. `retry_at` is a time of the registry's clock."""

    path: str | None
    """The directory that LoRAX reads, which is the adapter's id there. None: the base model."""
    phase: AdapterPhase = AdapterPhase.UNKNOWN
    files: AdapterFiles | None = None
    """The files in the sidecar's last report. None: no report yet."""
    error: EngineError | None = None
    """The error of the last load."""
    reason: str = ""
    """The reason of AdapterReady=False."""
    failures: int = 0
    retry_at: float = 0.0
    loaded_digest: str | None = None
    """Digest of the files when LoRAX first answered through them."""
    replaced: bool = False
    """Whether files changed under a path that LoRAX has loaded: LoRAX does not read them again (path cache)."""
    confirmed: bool = True
    """Whether the sidecar has reported since LoRAX last loaded adapters: until then files may have changed."""
    load_ms: int | None = None
    last_probe: datetime | None = None

    @property
    def cause(self) -> str:
        """Why the last load failed."""
        return str(self.error or "")

    @property
    def refusal(self) -> str | None:
        """Why nothing is sent although LoRAX has not refused: LoRAX would get the adapter silently wrong (silent PEFT
        features), or would fail to load it and evict another for that, or the adapter is not fetched yet.
        """
        if self.files is None:
            fetched = self.path is None or self.path.startswith("/")
            return None if fetched else f"{self.path} has not been fetched yet"
        still_loaded = self.phase is AdapterPhase.READY and self.files.problem in _ONLY_READ_ONCE
        return None if self.files.problem is None or still_loaded else self.files.message

    @property
    def exceeds_capacity(self) -> bool:
        """Whether LoRAX can serve the adapter, but not together with the others."""
        return exceeds_capacity(self.error)

    @property
    def is_blocked(self) -> bool:
        """Whether no question is sent to the adapter."""
        return self.refusal is not None or self.phase is AdapterPhase.FAILED

    @property
    def lacks_files(self) -> bool:
        """Whether the sidecar's report on the adapter's files is still missing."""
        return self.path is not None and self.files is None

    @property
    def digest(self) -> str | None:
        """Digest of the weights that answer. None: unknown."""
        return self.loaded_digest if self.confirmed and not self.replaced else None

    @property
    def no_digest_reason(self) -> str:
        """Why there is no digest."""
        return CHANGED if self.replaced else NO_REPORT if self.loaded_digest is None else UNCONFIRMED

    def may_be_probed(self, now: float) -> bool:
        """Whether a probe may be sent to verify the adapter."""
        waits = self.phase is AdapterPhase.FAILED and now < self.retry_at
        return self.refusal is None and self.phase is not AdapterPhase.READY and not waits


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A probe got tokens after `queue_ms` in LoRAX's queue; `digest` is that of the files when the probe left."""

    digest: str | None
    queue_ms: float | None
    time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A request failed, at `now` of the registry's clock."""

    error: EngineError
    now: float
    time: datetime


@dataclass(frozen=True, slots=True)
class FilesReported:
    """The sidecar reported what lies at the path."""

    files: AdapterFiles


class LoadsStarted:
    """A wave begins: LoRAX may load the adapter, from files that may change meanwhile."""


class FilesConfirmed:
    """The sidecar reported again after the wave."""


class Invalidated:
    """The adapter may have left the GPU, or a new try may help: it has to answer again."""


class Restarted:
    """Another incarnation of LoRAX: nothing is loaded."""


@dataclass(frozen=True, slots=True)
class Observed:
    """The leading coordinator's state of the same adapter. The leader decides when to retry a failed adapter."""

    state: AdapterState


Event = Answered | Failed | FilesReported | LoadsStarted | FilesConfirmed | Invalidated | Restarted | Observed


def transition(state: AdapterState, event: Event) -> AdapterState:
    """The state after the event."""
    match event:
        case Answered():
            after = _answered(state, event)
        case Failed():
            after = _failed(state, event)
        case FilesReported(files):
            after = _reported(state, files)
        case LoadsStarted():
            after = replace(state, confirmed=False)
        case FilesConfirmed():
            after = replace(state, confirmed=True)
        case Invalidated():
            after = _invalidated(state)
        case Restarted():
            after = _invalidated(replace(state, loaded_digest=None, replaced=False, load_ms=None))
        case Observed(observed):
            after = replace(observed, failures=state.failures, retry_at=state.retry_at)
    return after


def _answered(state: AdapterState, event: Answered) -> AdapterState:
    """The adapter is ready. Its weights are the files that lay there both when the probe left and when it ended."""
    if state.phase is AdapterPhase.READY:
        return state
    digest = state.files.digest if state.files else None
    changed = None not in (digest, event.digest) and digest != event.digest
    return replace(
        state,
        phase=AdapterPhase.READY,
        error=None,
        reason="",
        failures=0,
        loaded_digest=state.loaded_digest or digest,
        replaced=changed or state.loaded_digest not in (digest, None),
        load_ms=load_ms(event.queue_ms),
        last_probe=event.time,
    )


def _failed(state: AdapterState, event: Failed) -> AdapterState:
    """The adapter failed, if the error concerns the adapter. An adapter failure always does; a failed generation or a
    timeout does only if the adapter has not answered yet. The state keeps the digest that LoRAX loaded under this path:
    LoRAX keeps the files that it read, even after a later load of the path fails (docs/lorax.md#path-cache).
    """
    unloaded = isinstance(event.error, (GenerationFailed, EngineTimeout)) and state.phase is not AdapterPhase.READY
    if not (unloaded or isinstance(event.error, AdapterFailed)):
        return state
    failures, retry_at = state.failures, state.retry_at
    if state.phase is not AdapterPhase.FAILED or event.now >= retry_at:
        # Of several requests in flight the first that fails counts as the try, and the others repeat it.
        failures += 1
        retry_at = event.now + delay(event.error, failures)
    return replace(
        state,
        phase=AdapterPhase.FAILED,
        error=event.error,
        reason=failure_reason(event.error),
        failures=failures,
        retry_at=retry_at,
        load_ms=None,
        last_probe=event.time,
    )


def _reported(state: AdapterState, files: AdapterFiles) -> AdapterState:
    """New files, or a new problem of files, are a reason to try again at once."""
    before, after = state.files, replace(state, files=files)
    if before == files:
        return after
    ready = state.phase is AdapterPhase.READY
    if before is None:
        return replace(after, loaded_digest=files.digest) if ready else after
    if state.phase is AdapterPhase.FAILED:
        return _invalidated(after)
    changed = ready and files.digest not in (None, state.loaded_digest)
    return replace(after, phase=AdapterPhase.UNKNOWN) if changed else after


def _invalidated(state: AdapterState) -> AdapterState:
    """The adapter has to answer again, and a failed one is tried again at once; what LoRAX has loaded stays known."""
    return replace(state, phase=AdapterPhase.UNKNOWN, error=None, reason="", failures=0, retry_at=0.0)
