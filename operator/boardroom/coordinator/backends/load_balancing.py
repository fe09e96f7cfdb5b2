"""Chooses the LoRAX server for a whole batch. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """The current state of a server, as it matters to a batch."""

    key: str
    running: bool | None
    """None before the first health check."""
    leaving: bool
    """Whether its pod is being terminated."""
    ready: int
    """The number of the batch's adapters that have answered on the server."""
    open: bool
    """Whether requests may be sent to the server now: it loads no adapters."""
    load: int
    """The number of members with a request under way on the server."""


def choose(candidates: Iterable[Candidate]) -> str | None:
    """The key of the best server: it is up, is not terminating, has most of the adapters warm, and the least to do.

    If no server is up, returns one that is down, whose reason is reported. None if there are no servers.
    """
    return min((_rank(c) for c in candidates), default=(None,))[-1]


def _rank(c: Candidate) -> tuple[int, bool, int, bool, int, str]:
    up = 2 if c.running is False else 1 - bool(c.running)
    return up, c.leaving, -c.ready, not c.open, c.load, c.key
