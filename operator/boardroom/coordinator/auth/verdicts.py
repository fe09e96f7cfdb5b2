"""What was found of tokens lately, by a keyed hash of each: the tokens themselves are not kept."""

import hashlib
import math
import secrets
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

_V = TypeVar("_V")


class Verdicts(Generic[_V]):
    """At most `size` verdicts, each for at most `seconds`; the one that was used longest ago makes room."""

    def __init__(self, size: int, seconds: float, now: Callable[[], float]) -> None:
        self._size = size
        self._seconds = seconds
        self._now = now
        self._found: OrderedDict[bytes, tuple[float, _V]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._found)

    def get(self, key: bytes) -> _V | None:
        """The verdict, unless it is too old."""
        entry = self._found.get(key)
        if entry is None:
            return None
        until, verdict = entry
        if self._now() >= until:
            del self._found[key]
            return None
        self._found.move_to_end(key)
        return verdict

    def put(self, key: bytes, verdict: _V, seconds: float = math.inf) -> None:
        """Keep a verdict from now on, for no longer than `seconds`."""
        self._found[key] = (self._now() + min(self._seconds, seconds), verdict)
        self._found.move_to_end(key)
        while len(self._found) > self._size:
            self._found.popitem(last=False)

    def drop(self, key: bytes) -> None:
        """Keep it no longer."""
        self._found.pop(key, None)


class Hasher:
    """Tokens to cache keys, under a secret that lives as long as the process."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)

    def __call__(self, token: str) -> bytes:
        return hashlib.blake2b(token.encode(), key=self._secret, digest_size=32).digest()
