"""The leader's side: tells followers its state, grants them to send, and has them hold before a wave."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from boardroom.coordinator.backends.backend import Backend
from boardroom.coordinator.backends.health_check import metrics
from boardroom.coordinator.backends.incarnation import RequestTarget
from boardroom.coordinator.backends.pool import BackendPool
from boardroom.coordinator.changes import Changes
from boardroom.coordinator.peers.protocol import GRANT_SECONDS, POLL_SECONDS, BackendState, GrantRequest, GrantResponse

MARGIN_SECONDS: Final = 0.25
"""The seconds that the leader adds to a follower's grant: clocks of two machines run a little differently."""
FORGET_SECONDS: Final = 60.0
"""The seconds after its last request when a follower is forgotten."""


@dataclass
class FollowerState:
    """The leader's state of a follower; times are on the leader's clock."""

    asked_at: float = 0.0
    granted: dict[str, float] = field(default_factory=dict)
    """The time until which the follower may send to each server."""
    holds: dict[str, int] = field(default_factory=dict)
    """The wave of each server for which the follower holds: it sends nothing until that wave has ended."""

    def polled(self, at: float, holds: dict[str, int]) -> None:
        """Take in a request."""
        self.asked_at, self.holds = at, holds

    def may_send(self, key: str, wave: int, now: float) -> bool:
        """Whether the follower may still send to the server with this key before that wave."""
        return self.holds.get(key) != wave and self.granted.get(key, 0.0) > now


class Leader:
    """Answers followers' requests while this coordinator leads; Peers decides which coordinator leads.

    The version of the state that followers are told is the generation of `changes`. The generation counts at once:
    after a change, such as a wave that begins, no follower is answered as if nothing had changed.
    """

    def __init__(self, pool: BackendPool, changes: Changes, clock: Callable[[], float] = time.monotonic) -> None:
        self._pool, self._changes, self._clock = pool, changes, clock
        self._followers: dict[str, FollowerState] = {}
        self._heard = asyncio.Event()

    async def answer(self, poll: GrantRequest) -> GrantResponse:
        """The grant of one follower, with the leader's state if that has changed; waits a second for a change."""
        arrived = self._clock()
        follower = self._followers.setdefault(poll.follower, FollowerState())
        follower.polled(arrived, poll.holds)
        self._heard.set()
        self._heard = asyncio.Event()
        self._take_in(poll)
        if poll.version == self._changes.generation:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changes.after(poll.version), POLL_SECONDS)
        for key, backend in self._pool.backends.items():
            if not backend.admission.wave_under_way:
                follower.granted[key] = arrived + GRANT_SECONDS + MARGIN_SECONDS
        return self._state(poll.version)

    async def hold(self, backend: Backend) -> None:
        """Wait until no follower sends to that server any more: each holds for the wave, or its grant has run out."""
        key, wave = backend.endpoint.key, backend.admission.waves
        while True:
            now = self._clock()
            senders = [f for f in self._followers.values() if f.may_send(key, wave, now)]
            if not senders:
                break
            heard = self._heard
            with suppress(TimeoutError):
                await asyncio.wait_for(heard.wait(), min(f.granted[key] for f in senders) - now)
        self._followers = {n: f for n, f in self._followers.items() if f.asked_at > now - FORGET_SECONDS}

    async def close(self) -> None:
        """Grant nothing more, and wait until every grant has run out."""
        last = max((until for f in self._followers.values() for until in f.granted.values()), default=0.0)
        self._followers.clear()
        await asyncio.sleep(max(0.0, last - self._clock()))

    def _take_in(self, poll: GrantRequest) -> None:
        """Take in the outcomes of a follower's questions; outcomes of an earlier incarnation are ignored."""
        for key, report in poll.told.items():
            backend = self._pool.backends.get(key)
            if backend is None:
                continue
            if report.incarnation != backend.registry.incarnation:
                continue
            if report.answers:
                backend.health_check.note_answer(warm=report.warm, answers=report.answers)
            for path, failure in report.failures:
                backend.registry.record_failure(path, failure.error(), RequestTarget(report.incarnation))
            if report.unsure:
                backend.health_check.suspect()

    def _state(self, known: int) -> GrantResponse:
        version = self._changes.generation
        if known == version:
            return GrantResponse(version=known)
        figures = metrics(backend.health_check for backend in self._pool.backends.values())
        return GrantResponse(
            version=version,
            servers={key: BackendState.of(backend) for key, backend in self._pool.backends.items()},
            metrics=figures.model_dump() if figures else None,
        )
