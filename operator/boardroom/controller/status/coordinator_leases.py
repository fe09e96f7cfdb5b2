"""Whether a coordinator still holds its board's Lease. Status that a coordinator wrote is valid only while one does."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from boardroom.api.meta import coordinator_name
from boardroom.kube.kinds import Key
from boardroom.kube.lease import LEASE_SECONDS
from boardroom.kube.observed_lease import LeaseState, ObservedLease
from boardroom.kube.protocol import Kube

EXPIRY_SECONDS: Final = LEASE_SECONDS + 1.0
"""After so long a Lease that is not renewed has expired."""
_READ_SECONDS: Final = 60.0
"""The Lease of a board whose coordinator is up is read at most once in so many seconds; it is renewed every 4 s."""


@dataclass
class _Board:
    lease: ObservedLease
    is_abandoned: bool = False


@dataclass
class CoordinatorLeases:
    """The Leases of boards' coordinators, read only if in doubt."""

    kube: Kube
    clock: Callable[[], float]
    """Monotonic seconds."""
    _boards: dict[Key, _Board] = field(default_factory=dict)

    async def is_abandoned(self, key: Key, *, up: bool) -> bool:
        """Whether no coordinator holds the Lease; of a board whose coordinator is `up`, only if it has expired."""
        board = self._boards.setdefault(
            key, _Board(ObservedLease(self.kube, key[0], coordinator_name(key[1]), self.clock))
        )
        if up and not board.is_abandoned and board.lease.age < _READ_SECONDS:
            return False
        state = await board.lease.read()
        if state is LeaseState.RELEASED:
            board.is_abandoned = not up  # a coordinator that is up is about to acquire it
        else:
            board.is_abandoned = state is LeaseState.EXPIRED
        return board.is_abandoned

    def forget(self, board: Key) -> None:
        """The board is deleted."""
        self._boards.pop(board, None)
