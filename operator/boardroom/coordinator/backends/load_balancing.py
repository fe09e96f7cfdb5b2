"""Which LoRAX server a batch goes to, all of it. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """One server as it is now, in view of one batch."""

    key: str
    running: bool | None
    """None before the first look."""
    leaving: bool
    """Its pod is being ended."""
    proved: int
    """How many of the batch's adapters have answered there."""
    open: bool
    """Whether requests may leave for it now: it loads no adapters."""
    load: int
    """Requests of ours that are under way there."""


def choose(candidates: Iterable[Candidate]) -> str | None:
    """The key of the best: one that is up, does not leave, has the most of the adapters warm, and the least to do.

    Where none is up it is one that is down: why, is then the reason that the batch is not answered. None of none.
    """
    return min((_rank(c) for c in candidates), default=(None,))[-1]


def _rank(c: Candidate) -> tuple[int, bool, int, bool, int, str]:
    up = 2 if c.running is False else 1 - bool(c.running)
    return up, c.leaving, -c.proved, not c.open, c.load, c.key
