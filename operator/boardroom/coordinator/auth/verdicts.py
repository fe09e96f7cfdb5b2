"""Recent verdicts on tokens, by a keyed hash of each: the tokens themselves are not kept."""

import hashlib
import math
import secrets
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

_V = TypeVar("_V")


class Verdicts(Generic[_V]):
    """Keeps at most `size` verdicts, each for at most `seconds`; the least recently used makes room."""

    def __init__(self, size: int, seconds: float, now: Callable[[], float]) -> None:
        self._size = size
        self._seconds = seconds
        self._now = now
        self._verdicts: OrderedDict[bytes, tuple[float, _V]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._verdicts)

    def get(self, key: bytes) -> _V | None:
        """The verdict; None if there is none or it is too old."""
        entry = self._verdicts.get(key)
        if entry is None:
            return None
        until, verdict = entry
        if self._now() >= until:
            del self._verdicts[key]
            return None
        self._verdicts.move_to_end(key)
        return verdict

    def put(self, key: bytes, verdict: _V, seconds: float = math.inf) -> None:
        """Keep a verdict from now on, for no longer than `seconds`."""
        self._verdicts[key] = (self._now() + min(self._seconds, seconds), verdict)
        self._verdicts.move_to_end(key)
        while len(self._verdicts) > self._size:
            self._verdicts.popitem(last=False)

    def drop(self, key: bytes) -> None:
        """Forget the verdict."""
        self._verdicts.pop(key, None)


class Hasher:
    """Makes keys of tokens, with a secret that lives as long as the process."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)

    def __call__(self, token: str) -> bytes:
        return hashlib.blake2b(token.encode(), key=self._secret, digest_size=32).digest()
