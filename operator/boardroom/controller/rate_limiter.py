"""How often edits replace a board's pods: a token bucket, so that of many edits in a row the last one counts.

Each such edit replaces the coordinator, or returns a GPU and requests it again, before the former pods are up.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from boardroom.kube.kinds import Key

BURST: Final = 3
"""Edits that are applied at once: a user who corrects a typing error does not wait."""
SECONDS: Final = 10.0
"""Per further token: about as long as a coordinator's replacement takes."""


@dataclass
class _Bucket:
    tokens: float
    at: float


@dataclass
class RateLimiter:
    """A rate limiter with a token bucket for each board."""

    clock: Callable[[], float] = time.monotonic
    """Monotonic seconds."""
    _buckets: dict[Key, _Bucket] = field(default_factory=dict)

    def take(self, board: Key) -> float:
        """Take a token and return 0. Without a token, return the seconds until the next token."""
        now = self.clock()
        bucket = self._buckets.setdefault(board, _Bucket(BURST, now))
        tokens = min(BURST, bucket.tokens + (now - bucket.at) / SECONDS)
        if tokens < 1:
            return (1 - tokens) * SECONDS
        bucket.tokens, bucket.at = tokens - 1, now
        return 0.0

    def forget(self, board: Key) -> None:
        """The board is deleted."""
        self._buckets.pop(board, None)
