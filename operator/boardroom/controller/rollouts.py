"""Rollouts of the operator's own changes: its version, or its AOS_* defaults.

Boards roll one after the other (or a few at once), so that a bad default stops at the first.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from boardroom.api.conditions import BoardCondition
from boardroom.kube.kinds import Key, Object, key_of

_log = logging.getLogger(__name__)


class RolloutState(StrEnum):
    """Progress of a board's rollout; the values are reasons of its condition UpToDate."""

    UP_TO_DATE = "UpToDate"
    WAITING = "WaitingForTurn"
    ROLLING = "RollingOut"


@dataclass
class Rollouts:
    """Admits boards first come, first served. A board rolls until it is Ready again, or its time is up."""

    clock: Callable[[], float]
    """Monotonic seconds."""
    wake: Callable[[Key], None]
    """Called with a waiting board that may roll now, so that it is reconciled."""
    unfinished: Callable[[], Iterable[Key]] = tuple
    """The boards that were rolling when an earlier operator ended."""
    at_once: int = 1
    _rolling: dict[Key, float | None] = field(default_factory=dict)
    """By board, when its time is up; None if not known yet."""
    _waiting: dict[Key, None] = field(default_factory=dict)
    _loaded: bool = False

    def admit(self, board: Key, seconds: float) -> RolloutState:
        """ROLLING if the board rolls now, for at most `seconds`; else WAITING."""
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
        """Whether this board rolls now."""
        self._load_unfinished()
        return board in self._rolling

    def remaining(self, board: Key, seconds: float) -> float:
        """Seconds until the board's time is up; `seconds` if an earlier operator began its rollout."""
        until = self._rolling.get(board)
        if until is None:
            until = self._rolling[board] = self.clock() + seconds
        return until - self.clock()

    def finish(self, board: Key) -> None:
        """The board is up to date or deleted: the next may roll."""
        if board not in self._rolling and board not in self._waiting:
            return
        self._rolling.pop(board, None)
        self._waiting.pop(board, None)
        if len(self._rolling) < self.at_once and self._waiting:
            self.wake(next(iter(self._waiting)))

    def _end_overdue(self, *, but: Key) -> None:
        """A board whose reconcile fails again and again never finishes its rollout; the others must not wait for it."""
        overdue = [b for b, until in self._rolling.items() if until is not None and until <= self.clock() and b != but]
        for board in overdue:
            _log.warning("board %s/%s did not finish its rollout in time", *board)
            del self._rolling[board]

    def _load_unfinished(self) -> None:
        if not self._loaded:
            self._loaded = True
            self._rolling = dict.fromkeys(self.unfinished())
            if self._rolling:
                _log.info("boards that roll out already: %s", ", ".join("/".join(key) for key in self._rolling))


def unfinished(boards: Iterable[Object]) -> list[Key]:
    """The boards whose status says that they are rolling."""
    return [key_of(board) for board in boards if _reason(board) == RolloutState.ROLLING]


def _reason(board: Object) -> str | None:
    conditions = board.get("status", {}).get("conditions") or ()
    return next((c["reason"] for c in conditions if c["type"] == BoardCondition.UP_TO_DATE), None)
