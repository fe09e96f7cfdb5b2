"""A coordinator's membership among those of its board: the holder of the board's Lease leads.

Only the leader checks LoRAX's health, loads adapters, verifies them and writes status. The others answer questions by
the state that the leader tells them, and send to LoRAX while the leader grants that (leader.py, follower.py).
docs/decisions/0010 tells what may go wrong.
"""

import asyncio
import logging
import math
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Final

import msgspec

from boardroom.api.meta import coordinator_name
from boardroom.coordinator.backends.backend import Backend
from boardroom.coordinator.backends.endpoints import addresses, slices
from boardroom.coordinator.backends.pool import BackendPool
from boardroom.coordinator.changes import Changes
from boardroom.coordinator.jobs import Jobs
from boardroom.coordinator.peers.follower import AGAIN_SECONDS, Follower, LeaderLostError
from boardroom.coordinator.peers.leader import MARGIN_SECONDS, Leader
from boardroom.coordinator.peers.protocol import GRANT_SECONDS, encoder, poll_decoder
from boardroom.kube.election import LeaderElector
from boardroom.kube.lease import LeaseTiming
from boardroom.kube.protocol import Kube

TIMING: Final = LeaseTiming(renew_deadline=10.0, retry_period=4.0)
"""A renewal every four seconds, so that a thousand boards write 250 small Leases a second."""

_LEASE_SECONDS: Final = 3.0
_CONFLICT: Final = 409
_PAUSE: Final = 0.02
_LOG = logging.getLogger(__name__)


class Peers:
    """Leads or follows the board's other coordinators, which reach this one at `address` (host:port of metrics).

    `on_started_leading` is called in the same moment in which `is_leader` becomes true.
    """

    def __init__(
        self,
        kube: Kube,
        board: str,
        namespace: str,
        address: str,
        *,
        pool: BackendPool | None,
        changes: Changes,
        on_started_leading: Callable[[], None] = lambda: None,
        timing: LeaseTiming = TIMING,
        clock: Callable[[], float] = time.monotonic,
        age: float = 0.0,
    ) -> None:
        """`age` is how many seconds this process has run: a former process of its pod ended before that."""
        name = coordinator_name(board)
        self.identity = f"{address}_{secrets.token_hex(6)}"
        self._address, self._born = address, clock() - age
        self.is_leader = False
        self.leader_identity = ""
        """The leader's identity, as far as known."""
        self._on_started_leading = on_started_leading
        self.follower = Follower(pool, self.identity, clock) if pool is not None else None
        self._leader = Leader(pool, changes, clock) if pool is not None else None
        self._pool, self._clock, self._timing = pool, clock, timing
        self._elector = LeaderElector(
            kube,
            namespace,
            name,
            self.identity,
            clock,
            partial(datetime.now, UTC),
            timing,
            lead_while_unreachable=True,
            request_seconds=_LEASE_SECONDS,
            holder_override=self._holder,
        )
        self._addresses = slices(kube, namespace, name, lambda: None)
        self._jobs = Jobs()
        self._term = 0.0
        """The time on the clock until which this coordinator may lead without renewing the Lease."""

    @property
    def is_confirmed_leader(self) -> bool:
        """Whether no other coordinator can lead now; only then may this one write status."""
        return self.is_leader and self._elector.is_leader()

    async def hold(self, backend: Backend) -> None:
        """Wait until no follower sends to that server any more."""
        if self._leader is not None:
            await self._leader.hold(backend)

    def start(self) -> None:
        """Lead or follow from now on."""
        if self._pool is not None:
            self._pool.grant(-math.inf)
        self._jobs.start("peers", self._addresses.run)
        self._jobs.start("leadership", self._run)

    async def stop(self) -> None:
        """Release the Lease once every grant of this coordinator has run out."""
        await self._jobs.stop()
        if self.is_leader:
            self.is_leader = False
            if self._leader is not None:
                await self._leader.close()
            await self._elector.release()
        if self.follower is not None:
            await self.follower.close()

    def knows(self, remote: str) -> bool:
        """Whether the Service of the board's coordinators has that IP address."""
        return remote in addresses(self._addresses.objects.values())

    async def answer(self, body: bytes) -> tuple[int, bytes]:
        """The HTTP status and body that answer a follower's request."""
        try:
            poll = poll_decoder.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return 400, str(error).encode()
        if self._leader is None or not self._may_lead(poll.leader):
            return _CONFLICT, b"another coordinator leads"
        state = await self._leader.answer(poll)
        if not self._may_lead(poll.leader):  # it may have stopped while the request waited
            return _CONFLICT, b"another coordinator leads"
        return 200, encoder.encode(state)

    def _may_lead(self, leader: str) -> bool:
        return self.is_leader and leader == self.identity and self._clock() < self._term

    async def _run(self) -> None:
        while True:
            if self.is_leader:
                await asyncio.sleep(self._timing.retry_period)
                await self._try_acquire_or_renew()
            elif self.leader_identity and self.follower is not None:
                await self._follow(self.follower)
            else:
                await self._try_acquire_or_renew()
                if not self.is_leader:
                    await asyncio.sleep(AGAIN_SECONDS if self.follower else self._timing.retry_period)

    async def _follow(self, follower: Follower) -> None:
        """Follow for as long as the leader gives grants. The coordinator that grants leads, whatever the Lease says."""
        try:
            await follower.follow(self.leader_identity, self.leader_identity.rpartition("_")[0])
            await asyncio.sleep(_PAUSE)
        except LeaderLostError:
            await self._try_acquire_or_renew()
            if not self.is_leader:
                await asyncio.sleep(AGAIN_SECONDS)

    async def _try_acquire_or_renew(self) -> None:
        """Lead if this one acquires or renews the Lease, or can't reach the API server while it leads; else follow."""
        started = self._clock()
        holder = await self._elector.try_acquire_or_renew()
        if holder == self.identity:
            await self._lead(started)
        else:
            await self._on_stopped_leading(holder)

    def _holder(self, named: str, holder: str) -> str:
        """The holder of the Lease, which names another coordinator (`named`). `holder`: the same, or "" if expired."""
        follower = self.follower
        if follower is not None and named == self.leader_identity and follower.heard_within(self._timing.duration):
            return named  # the named leader has granted within the Lease's duration
        if holder.startswith(f"{self._address}_"):
            # a former process of this pod, which has ended; its grants run out
            return "" if self._clock() > self._born + GRANT_SECONDS + MARGIN_SECONDS else holder
        return holder

    async def _lead(self, started: float) -> None:
        self._term = started + self._timing.duration
        if not self.is_leader:
            _LOG.info("leads the coordinators of its board", extra={"identity": self.identity})
            self.is_leader, self.leader_identity = True, self.identity
            if self._pool is not None:
                self._pool.lead()
            self._on_started_leading()
        if self._pool is not None:
            self._pool.grant(self._term)

    async def _on_stopped_leading(self, holder: str) -> None:
        if holder and holder != self.leader_identity:
            _LOG.info("follows another coordinator", extra={"leader": holder})
        was, self.is_leader, self.leader_identity = self.is_leader, False, holder
        if was and self._pool is not None:
            await self._pool.follow()
