"""Somebody else's Lease, as a process sees it that is no candidate."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from boardroom.kube.kinds import LEASE
from boardroom.kube.lease import LeaseExpiry, holder_of
from boardroom.kube.protocol import Kube


class LeaseState(StrEnum):
    """What a Lease says of its holder."""

    HELD = "Held"
    EXPIRED = "Expired"
    """Its holder has not renewed it in time."""
    RELEASED = "Released"
    """It has no holder, or does not exist."""


@dataclass
class ObservedLease:
    """Read on demand: watched, a thousand boards' Leases would send 250 renewals a second."""

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
