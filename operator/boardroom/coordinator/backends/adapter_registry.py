"""The states of all adapters on one LoRAX server, and the only writer of them.

No question is sent to a failed adapter: its member is absent at once, with the cause that LoRAX gave, and the prober
tries again after a back-off. A registry is of one incarnation of its server: the process from its start to its end. A
result carries its `RequestTarget`, and the result of an earlier incarnation changes nothing.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from boardroom.adapters.protocol import AdapterFiles
from boardroom.coordinator.backends.adapter_state import (
    AdapterPhase,
    AdapterState,
    Answered,
    Event,
    Failed,
    FilesConfirmed,
    FilesReported,
    Invalidated,
    LoadsStarted,
    Observed,
    Restarted,
    transition,
)
from boardroom.coordinator.backends.incarnation import RequestTarget, new_incarnation
from boardroom.engine.errors import AdapterFailed, AdapterFault, EngineError


@dataclass(slots=True)
class _Entry:
    """Holds the current state of one adapter."""

    state: AdapterState

    def apply(self, event: Event) -> None:
        self.state = transition(self.state, event)


class AdapterRegistry:
    """Holds a state for each adapter that members of the board use; the path None is the base model.

    `clock` counts seconds. `on_change` is called after each change but those that `observe` takes over.
    """

    def __init__(self, clock: Callable[[], float], on_change: Callable[[], None] = lambda: None) -> None:
        self._clock, self._on_change = clock, on_change
        self._entries: dict[str | None, _Entry] = {}
        self._loads_ended = -math.inf
        self._incarnation = new_incarnation()
        self._ended_unseen: tuple[str, ...] = ()

    @property
    def incarnation(self) -> str:
        """The server's incarnation in which the states hold; the name is unique over all coordinators."""
        return self._incarnation

    @property
    def ended_unseen(self) -> tuple[str, ...]:
        """Incarnations that ended unnoticed: the next one may have answered requests that were sent to them."""
        return self._ended_unseen

    def __getitem__(self, path: str | None) -> AdapterState:
        """The adapter's state; unknown for an adapter that no member uses."""
        return self._entry(path).state

    def watch(self, path: str | None) -> Callable[[], AdapterState]:
        """A function that returns the adapter's current state. After the registry has forgotten the adapter, the
        function returns the last state: a member may leave the board before it has answered.
        """
        entry = self._entry(path)
        return lambda: entry.state

    def __contains__(self, path: str | None) -> bool:
        return path in self._entries

    @property
    def states(self) -> tuple[AdapterState, ...]:
        """The state of every adapter."""
        return tuple(entry.state for entry in self._entries.values())

    def keep(self, paths: Iterable[str | None]) -> None:
        """Hold a state for each of these adapters, and forget the others."""
        wanted = sorted(set(paths), key=lambda path: path or "")
        if wanted == list(self._entries):
            return
        fewer = not self._entries.keys() <= set(wanted)
        self._entries = {path: self._entry(path) for path in wanted}
        if fewer:
            self.invalidate(state.path for state in self.states if state.exceeds_capacity)
        self._on_change()

    def update_files(self, files: Mapping[str, AdapterFiles]) -> None:
        """Take in what the sidecar reports, by path."""
        for path, reported in files.items():
            changed = path in self and self[path].files != reported
            self._apply(FilesReported(reported), path)
            if changed:
                self._on_change()

    def target(self, path: str | None) -> RequestTarget:
        """The target of a request that is sent now."""
        files = self[path].files
        return RequestTarget(self._incarnation, files.digest if files else None)

    def record_answer(self, path: str | None, queue_ms: float | None, target: RequestTarget) -> None:
        """A probe got tokens. `queue_ms` is the wait before, in which LoRAX loads an adapter that it lacks."""
        self._apply_result(path, target, Answered(digest=target.digest, queue_ms=queue_ms, time=datetime.now(UTC)))

    def record_failure(self, path: str | None, error: EngineError, target: RequestTarget) -> None:
        """A request failed."""
        self._apply_result(path, target, Failed(error=error, now=self._clock(), time=datetime.now(UTC)))

    def restarted(self, *, seen: bool = True) -> None:
        """Another incarnation has started. `seen`: whether the end of the former was noticed before the new one could
        get a request.
        """
        if not seen:
            self._ended_unseen = (*self._ended_unseen, self._incarnation)[-8:]
        self._incarnation = new_incarnation()
        self._apply(Restarted(), *self._entries)
        self._on_change()

    def begin_incarnation(self) -> None:
        """The coordinator watches over the server from now on, so every adapter has to answer again."""
        self._incarnation = new_incarnation()
        self.invalidate()

    def invalidate(self, paths: Iterable[str | None] | None = None) -> None:
        """These adapters (None: all) have to answer again, and a failed one is tried again at once."""
        known = list(self._entries if paths is None else (path for path in paths if path in self))
        self._apply(Invalidated(), *known)
        if known:
            self._on_change()

    def loads_started(self) -> None:
        """A wave begins."""
        self._loads_ended = math.inf
        self._apply(LoadsStarted(), *self._entries)

    def loads_finished(self) -> None:
        """A wave has ended."""
        self._loads_ended = self._clock()

    def confirm(self, polled_at: float) -> None:
        """The sidecar's report, asked for at that time of the clock, has been taken in."""
        unconfirmed = [state.path for state in self.states if not state.confirmed]
        if unconfirmed and polled_at >= self._loads_ended:
            self._apply(FilesConfirmed(), *unconfirmed)
            self._on_change()

    def observe(self, incarnation: str, ended_unseen: tuple[str, ...], states: Iterable[AdapterState]) -> None:
        """Take over what the leading coordinator knows. An adapter that the leader does not know has to answer again if
        the incarnation is another.
        """
        if incarnation != self._incarnation:
            self._apply(Invalidated(), *self._entries)
        self._incarnation, self._ended_unseen = incarnation, ended_unseen
        for state in states:
            self._apply(Observed(state), state.path)

    def block_reason(self, path: str | None) -> EngineError | None:
        """Why no question may be sent to this adapter, as far as known."""
        state = self[path]
        if state.refusal is not None:
            progress = state.files.progress if state.files else ""
            return AdapterFailed(AdapterFault.REFUSED, state.refusal + progress)
        return state.error if state.phase is AdapterPhase.FAILED else None

    def is_ready(self, path: str | None) -> bool:
        """Whether the adapter has answered since LoRAX started."""
        return self[path].phase is AdapterPhase.READY

    def ready(self) -> list[str | None]:
        """Adapters that have answered since LoRAX started."""
        return [state.path for state in self.states if state.phase is AdapterPhase.READY]

    def unverified(self) -> list[str | None]:
        """Adapters that a probe may be sent to now, to verify them."""
        now = self._clock()
        return [state.path for state in self.states if state.may_be_probed(now)]

    def lacks_files(self) -> bool:
        """Whether the sidecar has still to report what lies there for some adapter."""
        return any(state.lacks_files for state in self.states)

    def next_retry(self) -> float | None:
        """The time on the clock when the next failed adapter may be tried again."""
        failed = [s for s in self.states if s.phase is AdapterPhase.FAILED and s.refusal is None]
        return min((state.retry_at for state in failed), default=None)

    def _entry(self, path: str | None) -> _Entry:
        return self._entries.get(path) or _Entry(AdapterState(path=path))

    def _apply_result(self, path: str | None, target: RequestTarget, event: Answered | Failed) -> None:
        before = self[path]
        if target.incarnation == self._incarnation:
            self._apply(event, path)
        if self[path] is not before and path in self:
            self._on_change()

    def _apply(self, event: Event, *paths: str | None) -> None:
        for path in paths:
            if path in self._entries:
                self._entries[path].apply(event)
