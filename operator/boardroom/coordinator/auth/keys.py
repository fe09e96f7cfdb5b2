"""API keys from a file or a mounted Secret, read again when they change."""

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
"""The most seconds for which a key is still accepted after its removal from the files."""
MAX_BYTES: Final = 1_048_576
"""The most that a Secret holds."""
MIN_KEY: Final = 16
"""The characters of the shortest key; a shorter line is no key."""

_LOG = logging.getLogger(__name__)

Named = tuple[str, bytes]
"""A key's name for the log, and its digest."""


class ApiKeys:
    """The keys in a file, one a line, or in each file of a directory. A key's name is its file's name and line."""

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
        """Read the files if that is due."""
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
        name = match(self._keys, token)
        if name is None:
            raise Unauthenticated("the API key is not one of this board's")
        return f"key:{name}"


def match(keys: tuple[Named, ...], token: str) -> str | None:
    """The name of the key that equals the token; None: no such key. The check takes the same time for every token."""
    token_digest = digest(token)
    match = None
    for name, key_digest in keys:
        if hmac.compare_digest(key_digest, token_digest):
            match = name
    return match


def digest(key: str) -> bytes:
    """The digest of a key, which is kept and compared in its place."""
    return hashlib.sha256(key.encode()).digest()


def _read(path: Path) -> tuple[tuple[Named, ...], str]:
    """The keys and an empty text; or no keys, and why."""
    try:
        # a mounted Secret has links of its own, whose names begin with two dots
        files = [path] if not path.is_dir() else sorted(f for f in path.iterdir() if f.is_file() and f.name[:2] != "..")
        keys = tuple(named for file in files for named in _keys(file))
    except (OSError, UnicodeDecodeError) as error:
        return (), f"{path} can't be read: {error}"
    if not keys:
        return (), f"{path} holds no key: put in one of at least {MIN_KEY} characters, one a line"
    return keys, ""


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
