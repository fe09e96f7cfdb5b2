"""Whether some coordinator of a board still has the say: only then does what one has written into status hold."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from boardroom.api.meta import coordinator_name
from boardroom.kube.client import Kube
from boardroom.kube.kinds import LEASE, Key
from boardroom.kube.lease import Candidacy, Terms

EXPIRY_SECONDS: Final = Terms().duration_seconds + 1.0
"""When to look again at a term that may run out."""
_LOOK_SECONDS: Final = 60.0
"""How often, at most, the Lease of a board is read whose coordinator is up; one that lives renews it every 4 s."""


@dataclass
class _ObservedLease:
    candidacy: Candidacy
    at: float = float("-inf")
    is_abandoned: bool = False


@dataclass
class CoordinatorLeases:
    """The coordinators' Leases, read where there is doubt: watched, a thousand boards would tell 250 renewals a second.

    A candidate that stands for nothing: like the coordinators', its clock alone says when a term has run out.
    """

    kube: Kube
    clock: Callable[[], float]
    """Monotonic seconds."""
    now: Callable[[], datetime]
    _observed: dict[Key, _ObservedLease] = field(default_factory=dict)

    async def is_abandoned(self, board: Key, *, up: bool) -> bool:
        """Whether no coordinator has the say now; of one that is `up`, only if its term has run out."""
        seen = self._observed.setdefault(board, _ObservedLease(self._observer(board)))
        if up and not seen.is_abandoned and self.clock() - seen.at < _LOOK_SECONDS:
            return False
        lease = await self.kube.get(LEASE, board[0], coordinator_name(board[1]))
        seen.at = self.clock()
        if lease is not None and lease["spec"].get("holderIdentity"):
            seen.is_abandoned = not seen.candidacy.other(lease)
        else:
            seen.is_abandoned = not up  # one that is up and has no Lease is about to take it
        return seen.is_abandoned

    def forget(self, board: Key) -> None:
        """The board is gone."""
        self._observed.pop(board, None)

    def _observer(self, board: Key) -> Candidacy:
        return Candidacy(board[0], coordinator_name(board[1]), "", self.clock, self.now)
