"""How often edits replace a board's pods: of many in a row the last one counts.

Each replaces the coordinator, or gives a GPU back and asks for it again, before the one before has come up.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from boardroom.kube.kinds import Key

BURST: Final = 3
"""So many at once: whoever corrects a slip does not wait."""
SECONDS: Final = 10.0
"""One more after each: about as long as a coordinator takes to be replaced."""


@dataclass
class _Bucket:
    tokens: float
    at: float


@dataclass
class RateLimiter:
    """A token bucket for each board."""

    clock: Callable[[], float] = time.monotonic
    """Monotonic seconds."""
    _buckets: dict[Key, _Bucket] = field(default_factory=dict)

    def take(self, board: Key) -> float:
        """Takes a token and returns 0; or the seconds until there is one."""
        now = self.clock()
        bucket = self._buckets.setdefault(board, _Bucket(BURST, now))
        tokens = min(BURST, bucket.tokens + (now - bucket.at) / SECONDS)
        if tokens < 1:
            return (1 - tokens) * SECONDS
        bucket.tokens, bucket.at = tokens - 1, now
        return 0.0

    def forget(self, board: Key) -> None:
        """The board is gone."""
        self._buckets.pop(board, None)
