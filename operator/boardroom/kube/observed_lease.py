"""Observation of another process's Lease by a process that is no candidate for it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from boardroom.kube.kinds import LEASE
from boardroom.kube.lease import LeaseExpiry, holder_of
from boardroom.kube.protocol import Kube


class LeaseState(StrEnum):
    """The state of a Lease."""

    HELD = "Held"
    EXPIRED = "Expired"
    """The holder has not renewed the Lease in time."""
    RELEASED = "Released"
    """The Lease has no holder, or does not exist."""


@dataclass
class ObservedLease:
    """A Lease that is read on demand. A watch on a thousand boards' Leases would receive 250 renewals a second."""

    kube: Kube
    namespace: str
    name: str
    clock: Callable[[], float]
    """Monotonic seconds."""
    read_at: float = float("-inf")
    _expiry: LeaseExpiry = field(init=False)

    def __post_init__(self) -> None:
        self._expiry = LeaseExpiry(self.clock)

    @property
    def age(self) -> float:
        """Seconds since the Lease was read."""
        return self.clock() - self.read_at

    async def read(self) -> LeaseState:
        """The state now; raises KubeError."""
        self.read_at = self.clock()
        lease = await self.kube.get(LEASE, self.namespace, self.name)
        if lease is None or not holder_of(lease):
            return LeaseState.RELEASED
        return LeaseState.EXPIRED if self._expiry.is_expired(lease) else LeaseState.HELD
