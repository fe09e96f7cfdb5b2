"""What is known of each adapter: a small state machine per adapter, fed by probes, failures and the sidecar.

LoRAX tells nothing about adapters, a request is a load, and each failed load evicts a good adapter (LORAX.md, traps 0,
1 and 6). So no question is sent to a failed adapter: its member is absent at once, with the cause that LoRAX gave, and
the prober tries again when the back-off is over.

A registry is of one incarnation of its server: the process from its start to its end. A result carries its
`RequestTarget`, and the result of an earlier incarnation changes nothing.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from boardroom.adapters.protocol import MISSING, AdapterFiles
from boardroom.coordinator.backends.adapter_failures import delay, exceeds_capacity, failure_reason
from boardroom.coordinator.backends.incarnation import CHANGED, NO_REPORT, UNCONFIRMED, RequestTarget, new_incarnation
from boardroom.engine.errors import AdapterFailed, AdapterFault, EngineError

COLD_QUEUE_MS: Final = 20.0
"""LoRAX loads adapters while a request queues, and x-queue-time is the only sign of it: of an adapter that has not
answered yet a wait above this counts as its load. Of one that has, a wait tells nothing: it queues for the GPU."""

DOWNLOADING: Final = "Downloading"
_OF_FILES: Final = frozenset({MISSING, "AdapterInvalid"})
"""Problems of files that LoRAX does not read again: what it has loaded speaks on."""


def load_ms(queue_ms: float | None) -> int | None:
    """How long LoRAX loaded an adapter that answered for the first time after a wait of `queue_ms` in its queue."""
    return None if queue_ms is None or queue_ms < COLD_QUEUE_MS else round(queue_ms)


class AdapterPhase(StrEnum):
    """unknown: not asked since LoRAX started. ready: it has answered since. failed: LoRAX could not load it."""

    UNKNOWN = "unknown"
    READY = "ready"
    FAILED = "failed"


class AdapterState:
    """One adapter. `path` is the directory that LoRAX reads, which is its id there."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.phase = AdapterPhase.UNKNOWN
        self.files: AdapterFiles | None = None
        self.error: EngineError | None = None
        self.reason = ""
        """The reason of AdapterReady=False."""
        self.failures = 0
        self.retry_at = 0.0
        self.loaded_digest: str | None = None
        """Digest of the files when LoRAX first answered through them."""
        self.replaced = False
        """Files changed under a path that LoRAX has loaded: it does not read them again (trap 4)."""
        self.confirmed = True
        """Whether the sidecar has been asked since LoRAX last loaded adapters: before, they may have changed."""
        self.load_ms: int | None = None
        self.last_probe: datetime | None = None

    @property
    def cause(self) -> str:
        """Why the last load failed."""
        return str(self.error or "")

    @property
    def refusal(self) -> str | None:
        """Why nothing is sent: LoRAX would get it wrong (trap 9), or fail to load it and evict another for that (trap
        1), or it is not fetched yet.
        """
        files = self.files
        if files is None:
            return None if self.path.startswith("/") else f"{self.path} has not been fetched yet"
        still_loaded = self.phase is AdapterPhase.READY and files.problem in _OF_FILES
        return None if files.problem is None or still_loaded else files.message

    @property
    def exceeds_capacity(self) -> bool:
        """Whether LoRAX can serve it, but not together with the others."""
        return exceeds_capacity(self.error)

    @property
    def is_blocked(self) -> bool:
        """Whether no question is sent to it."""
        return self.refusal is not None or self.phase is AdapterPhase.FAILED

    @property
    def digest(self) -> str | None:
        """The weights that speak; None where that can't be known."""
        return self.loaded_digest if self.confirmed and not self.replaced else None

    @property
    def no_digest_reason(self) -> str:
        """Why there is no digest."""
        return CHANGED if self.replaced else NO_REPORT if self.loaded_digest is None else UNCONFIRMED


class AdapterRegistry:
    """The states of all adapters that the board's members name."""

    def __init__(self, clock: Callable[[], float], on_change: Callable[[], None] = lambda: None) -> None:
        self._clock = clock
        self._states: dict[str, AdapterState] = {}
        self._loads_ended = -math.inf
        self.incarnation = new_incarnation()
        """Which incarnation of the server the states tell of; no two have the same, whoever watches over them."""
        self.ended_unseen: tuple[str, ...] = ()
        """Incarnations whose end nobody saw: what they were asked, the next one may have answered."""
        self.on_change = on_change

    def __getitem__(self, path: str) -> AdapterState:
        state = self._states.get(path)
        if state is None:
            state = self._states[path] = AdapterState(path)
        return state

    def keep(self, paths: Iterable[str]) -> None:
        """Make states for these adapters, and forget the others."""
        wanted = sorted(set(paths))
        if wanted != list(self._states):
            fewer = not self._states.keys() <= set(wanted)
            self._states = {path: self[path] for path in wanted}
            if fewer:
                self.invalidate(path for path, state in self._states.items() if state.exceeds_capacity)
            self.on_change()

    def update_files(self, files: Mapping[str, AdapterFiles]) -> None:
        """Take in what is known of their files; new files or a new problem are a reason to try again at once."""
        for state in self._states.values():
            found = files.get(state.path)
            if found is None:
                continue
            if state.files != found:
                self._replace_files(state, found)
                self.on_change()
            state.files = found

    def block_reason(self, path: str) -> EngineError | None:
        """Why no question may be sent to this adapter, as far as known."""
        state = self[path]
        if state.refusal is not None:
            progress = state.files.progress if state.files else ""
            return AdapterFailed(AdapterFault.REFUSED, state.refusal + progress)
        return state.error if state.phase is AdapterPhase.FAILED else None

    def is_ready(self, path: str) -> bool:
        """Whether it has answered since LoRAX started."""
        return self[path].phase is AdapterPhase.READY

    def target(self, path: str | None) -> RequestTarget:
        """What a request that leaves now is sent to (None: the base model)."""
        state = self._states.get(path) if path is not None else None
        return RequestTarget(self.incarnation, state.files.digest if state is not None and state.files else None)

    def record_answer(self, path: str, queue_ms: float | None, target: RequestTarget) -> None:
        """It gave a probe tokens; `queue_ms` is the wait before, in which LoRAX loads an adapter that it lacks.

        Its weights are those that lay there both when the probe left and when it was answered.
        """
        state = self[path]
        if target.incarnation != self.incarnation or state.phase is AdapterPhase.READY:
            return
        digest = state.files.digest if state.files else None
        moved = None not in (digest, target.digest) and digest != target.digest
        state.replaced = moved or state.loaded_digest not in (digest, None)
        state.loaded_digest = state.loaded_digest or digest
        state.phase, state.failures, state.error, state.reason = AdapterPhase.READY, 0, None, ""
        state.load_ms = load_ms(queue_ms)
        state.last_probe = datetime.now(UTC)
        self.on_change()

    def record_failure(self, path: str, error: EngineError, target: RequestTarget) -> None:
        """A request failed. Only what tells about the adapter changes its state: an adapter failure always, a failed
        generation or a timeout where the adapter has never answered.
        """
        state = self[path]
        tells = isinstance(error, AdapterFailed) or (
            error.code in ("generation", "timeout") and not self.is_ready(path)
        )
        if target.incarnation != self.incarnation or not tells:
            return
        if state.phase is not AdapterPhase.FAILED or self._clock() >= state.retry_at:
            # of all that are under way the first to fail is the try, and the others say the same again
            state.failures += 1
            state.retry_at = self._clock() + delay(error, state.failures)
        state.phase, state.error, state.reason = AdapterPhase.FAILED, error, failure_reason(error)
        state.loaded_digest, state.replaced, state.load_ms = None, False, None
        state.last_probe = datetime.now(UTC)
        self.on_change()

    def restarted(self, *, seen: bool = True) -> None:
        """Another incarnation: nothing is loaded, and what failed may work now. `seen` is whether the end of the one
        before was noticed before the next could be asked.
        """
        if not seen:
            self.ended_unseen = (*self.ended_unseen, self.incarnation)[-8:]
        for state in self._states.values():
            state.loaded_digest, state.replaced, state.load_ms = None, False, None
        self.begin_incarnation()

    def begin_incarnation(self) -> None:
        """Somebody else watches over the server from now on, or it has started anew: nothing is proved."""
        self.incarnation = new_incarnation()
        self.invalidate()

    def loads_started(self) -> None:
        """A wave begins: LoRAX may load any of the adapters, from files that may change meanwhile."""
        self._loads_ended = math.inf
        for state in self._states.values():
            state.confirmed = False

    def loads_finished(self) -> None:
        """The wave is over."""
        self._loads_ended = self._clock()

    def confirm(self, asked_at: float) -> None:
        """The sidecar was asked at that time, on the clock, and what it found has been taken in."""
        late = [r for r in self._states.values() if not r.confirmed] if asked_at >= self._loads_ended else []
        for state in late:
            state.confirmed = True
        if late:
            self.on_change()

    def invalidate(self, paths: Iterable[str] | None = None) -> None:
        """What was proved (None: of every adapter) is to be proved again, and what failed tried again; what LoRAX has
        loaded stays known.
        """
        states = list(self._states.values()) if paths is None else [self._states[p] for p in paths if p in self._states]
        for state in states:
            state.phase, state.failures, state.retry_at = AdapterPhase.UNKNOWN, 0, 0.0
            state.error, state.reason = None, ""
        if states:
            self.on_change()

    @property
    def states(self) -> tuple[AdapterState, ...]:
        """The state of every adapter."""
        return tuple(self._states.values())

    def unverified(self) -> list[str]:
        """Adapters that a probe may be sent to now."""
        now = self._clock()
        return [
            r.path
            for r in self._states.values()
            if r.refusal is None
            and (r.phase is AdapterPhase.UNKNOWN or (r.phase is AdapterPhase.FAILED and now >= r.retry_at))
        ]

    def ready(self) -> list[str]:
        """Adapters that have answered since LoRAX started."""
        return [r.path for r in self._states.values() if r.phase is AdapterPhase.READY]

    def lacks_files(self) -> bool:
        """Whether the sidecar has not said yet what lies there for some adapter."""
        return any(r.files is None for r in self._states.values())

    def phases(self) -> list[AdapterPhase]:
        """The state of every adapter."""
        return [r.phase for r in self._states.values()]

    def next_retry(self) -> float | None:
        """When (on the clock) the next failed adapter may be tried again."""
        times = [r.retry_at for r in self._states.values() if r.phase is AdapterPhase.FAILED and r.refusal is None]
        return min(times, default=None)

    def _replace_files(self, state: AdapterState, files: AdapterFiles) -> None:
        old, state.files = state.files, files
        if old is None:
            if state.phase is AdapterPhase.READY:
                state.loaded_digest = files.digest
            return
        if state.phase is AdapterPhase.FAILED:
            state.phase, state.failures, state.retry_at = AdapterPhase.UNKNOWN, 0, 0.0
            state.error, state.reason = None, ""
        elif state.phase is AdapterPhase.READY and files.digest not in (None, state.loaded_digest):
            state.phase = AdapterPhase.UNKNOWN
