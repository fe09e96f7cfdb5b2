"""Writes the coordinator's part of status when it has changed, and seldom."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from boardroom.api.conditions import (
    COORDINATOR_NOT_READY,
    AgentCondition,
    BoardCondition,
    Condition,
    keep_transition_time,
)
from boardroom.coordinator.backends.adapter_summary import AdapterSummary
from boardroom.coordinator.board.roster import Member, Roster
from boardroom.coordinator.metrics import Metrics
from boardroom.coordinator.status import conditions as health
from boardroom.coordinator.status.conditions import Observation
from boardroom.kube.errors import ConflictError, KubeError, NotFoundError
from boardroom.kube.kinds import BOARDAGENT, BOARDROOM, CORE_EVENT, Kind, Object
from boardroom.kube.protocol import Kube

WRITE_SECONDS: Final = 10.0
URGENT_SECONDS: Final = 1.0
"""The seconds after the last write when a changed verdict of LoRAX or an adapter is written."""
MAX_PAUSE: Final = 30.0
_IGNORED: Final = (NotFoundError, ConflictError)
"""The object has gone, or another of its name is there; the watch will tell."""

_LOG = logging.getLogger(__name__)


@dataclass
class _Written:
    """An object's status as far as known; `at` is when it was written, on the event loop's clock."""

    uid: str
    comparable: dict[str, Any]
    conditions: tuple[Condition, ...]
    at: float = float("-inf")


class StatusWriter:
    """Applies the status of the Boardroom and of its members under the coordinator's field manager."""

    def __init__(
        self,
        kube: Kube,
        metrics: Metrics,
        *,
        roster: Callable[[], Roster | None],
        adapters: Callable[[], AdapterSummary],
        observed: Callable[[], Observation | None],
    ) -> None:
        self._kube = kube
        self._adapters = adapters
        self._metrics = metrics
        self._roster = roster
        self._observed = observed
        self._written: dict[str, _Written] = {}
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Compare the status again: something may have changed."""
        self._wake.set()

    def forget(self) -> None:
        """Compare with the live objects again: other coordinators may have written."""
        self._written.clear()
        self.wake()

    async def run(self) -> None:
        """Write each status that has changed, for ever."""
        pause = URGENT_SECONDS
        while True:
            with suppress(TimeoutError):  # a change that had to wait for its ten seconds may be due
                await asyncio.wait_for(self._wake.wait(), WRITE_SECONDS)
            self._wake.clear()
            try:
                await self.write()
                pause = URGENT_SECONDS
            except KubeError as error:
                self._metrics.status_writes.labels("failed").inc()
                _LOG.warning("status can't be written", extra={"error": f"{error} (HTTP {error.status})"})
                pause = min(MAX_PAUSE, max(2 * pause, error.retry_after or 0.0))
                self._wake.set()
            await asyncio.sleep(pause)

    async def write(self) -> None:
        """Write every object whose status has changed and is due; raises KubeError after trying all."""
        roster, seen = self._roster(), self._observed()
        if roster is None or seen is None:
            return
        failure: KubeError | None = None
        adapters = self._adapters()
        writes = [
            partial(self._board, roster, adapters, seen),
            *(partial(self._agent, roster, m, adapters, seen) for m in roster.members),
        ]
        for write in writes:
            try:
                await write()
            except KubeError as error:
                failure = error
        names = {m.name for m in roster.members} | {""}
        self._written = {name: written for name, written in self._written.items() if name in names}
        if failure is not None:
            raise failure

    async def _board(self, roster: Roster, adapters: AdapterSummary, seen: Observation) -> None:
        lorax = health.lorax_status(roster, adapters, seen, datetime.now(UTC))
        written = self._known("", roster.uid, roster.status.to_object(), roster.conditions, BoardCondition.LATENCY_HIGH)
        latency = keep_transition_time(health.latency_high(roster, seen), written.conditions)
        episode = latency.status == "True" and not any(c.status == "True" for c in written.conditions)
        manifest = health.board_object(roster, lorax, [latency])
        if await self._apply(BOARDROOM, manifest, written, (latency,)) and episode:
            await self._event(health.high_latency_event(roster, lorax, datetime.now(UTC)))

    async def _agent(self, roster: Roster, member: Member, adapters: AdapterSummary, seen: Observation) -> None:
        aggregate = adapters[member.adapter_id] if member.adapter_id else None
        live = member.status
        written = self._known(member.name, member.uid, live.to_object(), live.conditions, AgentCondition.ADAPTER_READY)
        ready = keep_transition_time(health.adapter_ready(member, aggregate, seen), written.conditions)
        adapter = health.adapter_status(member, aggregate)
        manifest = health.agent_object(member, roster.namespace, adapter, [ready])
        await self._apply(BOARDAGENT, manifest, written, (ready,))

    def _known(
        self, key: str, uid: str, live: dict[str, Any], conditions: tuple[Condition, ...], type_: str
    ) -> _Written:
        """The status as written last. Before the first write, and after the operator expired a condition that could not
        be renewed, the status of the live object counts.
        """
        known, own = self._written.get(key), tuple(c for c in conditions if c.type == type_)
        if known is None or known.uid != uid or any(c.reason == COORDINATOR_NOT_READY for c in own):
            standing = live | {"conditions": [c.to_object() for c in own]}
            at = known.at if known is not None and known.uid == uid else float("-inf")
            known = self._written[key] = _Written(uid, health.comparable(standing), own, at)
        return known

    async def _apply(self, kind: Kind, manifest: Object, written: _Written, conditions: tuple[Condition, ...]) -> bool:
        """Apply the manifest if its status has changed and is due; whether it was applied."""
        comparable, now = health.comparable(manifest["status"]), asyncio.get_running_loop().time()
        wait = URGENT_SECONDS if health.is_urgent(comparable, written.comparable) else WRITE_SECONDS
        if comparable == written.comparable or now < written.at + wait:
            return False
        try:
            await self._kube.apply_status(kind, manifest)
        except _IGNORED:
            self._metrics.status_writes.labels("gone").inc()
            written.at = now
            return False
        self._metrics.status_writes.labels("applied").inc()
        written.comparable, written.conditions, written.at = comparable, conditions, now
        return True

    async def _event(self, event: Object) -> None:
        try:
            await self._kube.create(CORE_EVENT, event)
        except KubeError as error:  # the status was written, and is not written again for an Event
            _LOG.warning("event can't be written", extra={"error": f"{error} (HTTP {error.status})"})
