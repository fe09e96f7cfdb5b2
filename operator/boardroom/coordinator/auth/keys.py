"""API keys out of a file or a mounted Secret, read again as they change."""

import asyncio
import hashlib
import hmac
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from boardroom.coordinator.auth.bearer import bearer
from boardroom.coordinator.errors import AuthUnavailable, Unauthenticated

REREAD_SECONDS: Final = 5.0
"""A key that was taken out of the files is refused at the latest so long after."""
MAX_BYTES: Final = 1_048_576
"""What a Secret holds at most."""
MIN_KEY: Final = 16
"""Characters; a shorter line is no key."""

_LOG = logging.getLogger(__name__)

Named = tuple[str, bytes]
"""A key's name for the log, and its digest."""


class ApiKeys:
    """The keys of a file, one a line, or of each file in a directory; each is called by its file's name and line."""

    def __init__(self, path: Path, *, now: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._now = now
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()
        self._keys: tuple[Named, ...] = ()
        self._problem = f"{path} was not read yet"

    async def problem(self) -> str:
        await self._refresh()
        return self._problem

    async def _refresh(self) -> None:
        """Read the files where that is due."""
        if self._now() - self._read_at < REREAD_SECONDS:
            return
        async with self._reading:
            if self._now() - self._read_at < REREAD_SECONDS:
                return
            before = self._problem
            self._keys, self._problem = await asyncio.to_thread(_read, self._path)
            self._read_at = self._now()
            if self._problem and self._problem != before:
                _LOG.warning("no API keys", extra={"reason": self._problem})

    async def caller(self, authorization: str | None) -> str:
        await self._refresh()
        token = bearer(authorization)
        if self._problem:
            raise AuthUnavailable(f"nobody can be let in: {self._problem}")
        found = match(self._keys, token)
        if found is None:
            raise Unauthenticated("the API key is not one of this board's")
        return f"key:{found}"


def match(keys: tuple[Named, ...], token: str) -> str | None:
    """The name of the key that the token is; takes as long whichever it is, and whether it is one."""
    given = digest(token)
    found = None
    for name, known in keys:
        if hmac.compare_digest(known, given):
            found = name
    return found


def digest(key: str) -> bytes:
    """What is kept and compared of a key."""
    return hashlib.sha256(key.encode()).digest()


def _read(path: Path) -> tuple[tuple[Named, ...], str]:
    """The keys, or none and why."""
    try:
        # A mounted Secret holds links of its own, whose names begin with two dots.
        files = [path] if not path.is_dir() else sorted(f for f in path.iterdir() if f.is_file() and f.name[:2] != "..")
        found = tuple(named for file in files for named in _keys(file))
    except (OSError, UnicodeDecodeError) as error:
        return (), f"{path} can't be read: {error}"
    if not found:
        return (), f"{path} holds no key: put in one of at least {MIN_KEY} characters, one a line"
    return found, ""


def _keys(file: Path) -> list[Named]:
    with file.open("rb") as source:
        text = source.read(MAX_BYTES).decode()
    lines = [line.strip() for line in text.splitlines()]
    keys = [line for line in lines if len(line) >= MIN_KEY and not line.startswith("#")]
    short = sum(1 for line in lines if line and not line.startswith("#")) - len(keys)
    if short:
        _LOG.warning("keys too short", extra={"file": file.name, "lines": short, "at_least": MIN_KEY})
    if len(keys) == 1:
        return [(file.name, digest(keys[0]))]
    return [(f"{file.name}#{number}", digest(key)) for number, key in enumerate(keys, 1)]
