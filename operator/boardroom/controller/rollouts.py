"""Whose pods are replaced now, where the reason is the operator's own: its version, or its AOS_* defaults.

One board (or a few) after the other, so that a bad default stops at the first.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from boardroom.api.conditions import BoardCondition
from boardroom.kube.kinds import Key, Object, key_of

_log = logging.getLogger(__name__)


class RolloutState(StrEnum):
    """Where a board stands; the values are reasons of its condition UpToDate."""

    UP_TO_DATE = "UpToDate"
    WAITING = "WaitingForTurn"
    ROLLING = "RollingOut"


@dataclass
class Rollouts:
    """Turns, first come, first served. A board keeps its turn until it is Ready again, or its time is up."""

    clock: Callable[[], float]
    """Monotonic seconds."""
    wake: Callable[[Key], None]
    """Has a board looked at: its turn may have come."""
    unfinished: Callable[[], Iterable[Key]] = tuple
    """The boards that an earlier operator left in their turn."""
    at_once: int = 1
    _rolling: dict[Key, float | None] = field(default_factory=dict)
    """When each one's time is up; None where that is not known yet."""
    _waiting: dict[Key, None] = field(default_factory=dict)
    _loaded: bool = False

    def admit(self, board: Key, seconds: float) -> RolloutState:
        """Whether the board rolls now, for at most that long, or waits."""
        self._load_unfinished()
        self._end_overdue(but=board)
        if board not in self._rolling and len(self._rolling) >= self.at_once:
            self._waiting[board] = None
            return RolloutState.WAITING
        self._waiting.pop(board, None)
        if self._rolling.get(board) is None:
            self._rolling[board] = self.clock() + seconds
        return RolloutState.ROLLING

    def is_rolling(self, board: Key) -> bool:
        """Whether it is this board's turn."""
        self._load_unfinished()
        return board in self._rolling

    def remaining(self, board: Key, seconds: float) -> float:
        """Seconds left of the board's turn; of one that an earlier operator began, `seconds` from now."""
        until = self._rolling.get(board)
        if until is None:
            until = self._rolling[board] = self.clock() + seconds
        return until - self.clock()

    def finish(self, board: Key) -> None:
        """The board is done, or has nothing to do any more: the next may roll."""
        if board not in self._rolling and board not in self._waiting:
            return
        self._rolling.pop(board, None)
        self._waiting.pop(board, None)
        if len(self._rolling) < self.at_once and self._waiting:
            self.wake(next(iter(self._waiting)))

    def _end_overdue(self, *, but: Key) -> None:
        """One whose reconcile fails again and again ends its own turn never, and all others would wait for it."""
        overdue = [b for b, until in self._rolling.items() if until is not None and until <= self.clock() and b != but]
        for board in overdue:
            _log.warning("board %s/%s has had its turn and was not done with it", *board)
            del self._rolling[board]

    def _load_unfinished(self) -> None:
        if not self._loaded:
            self._loaded = True
            self._rolling = dict.fromkeys(self.unfinished())
            if self._rolling:
                _log.info("boards in their turn: %s", ", ".join("/".join(key) for key in self._rolling))


def unfinished(boards: Iterable[Object]) -> list[Key]:
    """Those whose status says that it is their turn."""
    return [key_of(board) for board in boards if _reason(board) == RolloutState.ROLLING]


def _reason(board: Object) -> str | None:
    conditions = board.get("status", {}).get("conditions") or ()
    return next((c["reason"] for c in conditions if c["type"] == BoardCondition.UP_TO_DATE), None)
