"""Whether another operator is still there: its Lease has a holder that renews it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from boardroom.kube.client import Kube, RefusedError
from boardroom.kube.election import LEASE_NAME
from boardroom.kube.kinds import LEASE
from boardroom.kube.lease import Candidacy

LOOK_SECONDS: Final = 5.0
"""How often the Lease of another operator is read, at most."""
VACANT_SECONDS: Final = 60.0
"""How long a Lease has no holder before its operator counts as gone: an upgrade replaces the pod in less."""


class LeaseState(StrEnum):
    """What is known of another operator."""

    HELD = "Held"
    VACANT = "Vacant"
    UNREADABLE = "Unreadable"


@dataclass
class _ObservedLease:
    observer: Candidacy
    read_at: float = float("-inf")
    vacant_since: float | None = None
    lease_state: LeaseState = LeaseState.HELD


@dataclass
class OperatorLeases:
    """The Leases of other operators, by namespace, as one that stands for none of them sees them."""

    kube: Kube
    clock: Callable[[], float]
    """Monotonic seconds."""
    now: Callable[[], datetime]
    vacant_seconds: float = VACANT_SECONDS
    _observed: dict[str, _ObservedLease] = field(default_factory=dict)

    async def state(self, namespace: str) -> LeaseState:
        """Whether the operator of that namespace is there; HELD until it is known that it is not."""
        seen = self._observed.setdefault(
            namespace, _ObservedLease(Candidacy(namespace, LEASE_NAME, "", self.clock, self.now))
        )
        if self.clock() - seen.read_at < LOOK_SECONDS:
            return seen.lease_state
        seen.read_at = self.clock()
        try:
            lease = await self.kube.get(LEASE, namespace, LEASE_NAME)
        except RefusedError:
            seen.lease_state, seen.vacant_since = LeaseState.UNREADABLE, None
            return seen.lease_state
        if lease is not None and seen.observer.other(lease):
            seen.vacant_since = None
        elif seen.vacant_since is None:
            seen.vacant_since = self.clock()
        gone = seen.vacant_since is not None and self.clock() - seen.vacant_since >= self.vacant_seconds
        seen.lease_state = LeaseState.VACANT if gone else LeaseState.HELD
        return seen.lease_state
