"""Leader election: several processes compete for a Lease, as with client-go's LeaderElector.

The leader stops relying on the Lease when the renew deadline has passed without a renewal, whatever the cause. The
deadline passes well before another candidate can acquire the Lease.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime

from boardroom.kube.errors import ConflictError, KubeError
from boardroom.kube.kinds import LEASE, Object
from boardroom.kube.lease import LeaseExpiry, LeaseRecord, LeaseTiming, holder_of
from boardroom.kube.protocol import Kube

_log = logging.getLogger(__name__)


class LeadershipLostError(Exception):
    """Another candidate leads or soon may; the leader must end."""


@dataclass
class LeaderElector:
    """A candidate. `identity` is unique to its process: a process that restarts does not inherit the Lease."""

    kube: Kube
    namespace: str
    name: str
    """The Lease's name."""
    identity: str
    clock: Callable[[], float]
    """Monotonic seconds. This clock also advances while the process is stopped."""
    now: Callable[[], datetime]
    """The wall clock for the Lease's timestamps, which inform people. The election does not depend on it."""
    timing: LeaseTiming = field(default_factory=LeaseTiming)
    lead_while_unreachable: bool = False
    """Whether a leader keeps leading while the API server is unreachable, until it reads another holder.

    Only for candidates that find out by other means that the leader lives, and then do not acquire its Lease.
    """
    request_seconds: float | None = None
    """The most that one attempt may take."""
    holder_override: Callable[[str, str], str] = lambda _named, holder: holder
    """Decides who holds the Lease, from the identity in the Lease and from that of its holder unless it has expired."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    holder: str = ""
    """The identity that held the Lease at the last attempt; "" if unknown."""
    _renewed: float = -math.inf
    _expiry: LeaseExpiry = field(init=False)
    _record: LeaseRecord = field(init=False)

    def __post_init__(self) -> None:
        self._expiry = LeaseExpiry(self.clock, self.timing.duration)
        self._record = LeaseRecord(
            namespace=self.namespace,
            name=self.name,
            identity=self.identity,
            duration=self.timing.duration,
            now=self.now,
        )

    def is_leader(self) -> bool:
        """Whether no other candidate can lead now."""
        return self.remaining > 0

    @property
    def remaining(self) -> float:
        """Seconds until the renew deadline."""
        return self._renewed + self.timing.renew_deadline - self.clock()

    async def acquire(self) -> bool:
        """Wait, however long it takes, until this candidate leads; then True."""
        while True:
            former = self.holder
            try:
                await self.try_acquire_or_renew()
            except (KubeError, TimeoutError) as error:
                self._warn("can't be acquired", error)
            else:
                if self.holder == self.identity:
                    _log.info("leads as %s", self.identity)
                    return True
                if self.holder not in ("", former):
                    _log.info("stands by: %s leads", self.holder)
            await self.sleep(self.timing.retry_period)

    async def renew(self) -> None:
        """Renew for ever; raises LeadershipLostError after the renew deadline, or once another holds the Lease."""
        while True:
            await self.sleep(self.timing.retry_period)
            if self.remaining <= 0:
                seconds = self.timing.renew_deadline
                raise LeadershipLostError(f"the Lease was not renewed within {seconds:.0f} s: ending, another leads")
            try:
                async with asyncio.timeout(self.remaining):
                    await self.try_acquire_or_renew()
            except (KubeError, TimeoutError) as error:
                self._warn("is not renewed", error)
                continue
            if self.holder not in (self.identity, ""):
                raise LeadershipLostError(f"{self.holder} has acquired the Lease: ending")

    async def try_acquire_or_renew(self) -> str:
        """Try once, and return `holder`. Raises KubeError and TimeoutError, unless `lead_while_unreachable`."""
        started = self.clock()
        try:
            async with asyncio.timeout(self.request_seconds):
                self.holder = await self._attempt()
        except (KubeError, TimeoutError) as error:
            if not self.lead_while_unreachable:
                raise
            self._warn("can't be read or written", error)
        else:
            if self.holder == self.identity:
                self._renewed = started
        return self.holder

    async def release(self) -> None:
        """Let another lead at once. Only for a leader that writes nothing any more."""
        self._renewed = -math.inf
        try:
            lease = await self.kube.get(LEASE, self.namespace, self.name)
            released = self._record.released(lease) if lease is not None else None
            if released is not None:
                await self.kube.apply(LEASE, released)
                _log.info("released the lease")
        except KubeError as error:
            self._warn("was not released and will expire", error)

    async def _attempt(self) -> str:
        """Acquire or renew the Lease unless another candidate holds it."""
        lease = await self.kube.get(LEASE, self.namespace, self.name)
        if lease is not None and (holder := self._other_holder(lease)):
            return holder
        manifest = self._record.acquired(lease)
        try:
            await (self.kube.create(LEASE, manifest) if lease is None else self.kube.apply(LEASE, manifest))
        except ConflictError:
            return ""  # another candidate wrote first
        return self.identity

    def _other_holder(self, lease: Object) -> str:
        """Return the identity of another holder; "" if this candidate may acquire or renew the Lease."""
        named, is_expired = holder_of(lease), self._expiry.is_expired(lease)
        return "" if named == self.identity else self.holder_override(named, "" if is_expired else named)

    def _warn(self, problem: str, error: Exception) -> None:
        status = error.status if isinstance(error, KubeError) else 0
        reason = str(error) or "no answer in time"
        _log.warning("lease %s/%s %s: %s (HTTP %d)", self.namespace, self.name, problem, reason, status)
