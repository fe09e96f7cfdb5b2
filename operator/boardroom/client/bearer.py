"""The bearer token of every request."""

import time
from collections.abc import Generator
from os import PathLike
from pathlib import Path
from typing import Final

import httpx

from boardroom.client.errors import BoardroomError

TOKEN_SECONDS: Final = 60.0
"""Seconds for which a token from a file is reused. The kubelet renews it minutes before its expiry."""


class Bearer(httpx.Auth):
    """A fixed token, or the current one of a file: the kubelet renews projected tokens in place."""

    def __init__(self, token: str | None, path: str | PathLike[str] | None) -> None:
        if token is not None and path is not None:
            raise ValueError("give token or token_path, not both")
        self._token = token
        self._path = Path(path) if path is not None else None
        self._read_at = float("-inf")

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if self._path is not None and time.monotonic() - self._read_at >= TOKEN_SECONDS:
            self._token = _token(self._path)
            self._read_at = time.monotonic()
        if self._token:
            request.headers["authorization"] = f"Bearer {self._token}"
        yield request


def _token(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BoardroomError(f"token_path {path} can't be read: {error}", code="no_token") from error
