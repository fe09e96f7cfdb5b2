"""What lies on the adapters volume, as the sidecar beside LoRAX tells it."""

import logging
from collections.abc import Callable, Mapping
from typing import Final

import aiohttp
import msgspec

from boardroom.coordinator.adapters import GONE, Finding

POLL_SECONDS: Final = 3.0
_TIMEOUT: Final = aiohttp.ClientTimeout(total=60, sock_connect=3)  # the first answer waits until every file is hashed
_MAX_BYTES: Final = 16 * 1024 * 1024
_OK: Final = 200
_NOT_MODIFIED: Final = 304

_LOG = logging.getLogger(__name__)


class _Problem(msgspec.Struct):
    reason: str
    message: str = ""


class _Adapter(msgspec.Struct, rename="camel"):
    name: str
    digest: str | None = None
    rank: int | None = None
    base_model: str | None = None
    problem: _Problem | None = None


class _Listing(msgspec.Struct):
    adapters: list[_Adapter]


_DECODER: Final = msgspec.json.Decoder(_Listing)


def parse(body: bytes) -> dict[str, Finding]:
    """The sidecar's GET /v1/adapters by the adapter's name below the mount; raises ValueError."""
    return {
        a.name: Finding(
            digest=a.digest,
            rank=a.rank,
            base_model=a.base_model,
            problem=a.problem.reason if a.problem else None,
            message=a.problem.message if a.problem else "",
        )
        for a in _DECODER.decode(body).adapters
    }


class Findings:
    """Polls the sidecar; what it said last stands while it can't be reached. Calls `on_look` after each good look."""

    def __init__(self, url: str, on_look: Callable[[], None] = lambda: None) -> None:
        self._url = f"{url.rstrip('/')}/v1/adapters"
        self.on_look = on_look
        self._etag = ""
        self._session: aiohttp.ClientSession | None = None
        self._found: dict[str, Finding] | None = None
        self.trouble = ""
        """Why the last look failed."""

    def of(self, adapters: Mapping[str, str]) -> dict[str, Finding] | None:
        """Findings by adapter_id for these adapters (adapter_id by name); None before the first answer."""
        if self._found is None:
            return None
        return {path: self._found.get(name, GONE) for name, path in adapters.items()}

    async def poll(self) -> None:
        """One look."""
        try:
            await self._fetch()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            trouble = f"{type(error).__name__}: {error}"
            if trouble != self.trouble:
                _LOG.warning("the adapters service can't be read", extra={"url": self._url, "error": trouble})
            self.trouble = trouble
        else:
            self.trouble = ""
            self.on_look()

    async def close(self) -> None:
        """Close the connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _fetch(self) -> None:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=_TIMEOUT, cookie_jar=aiohttp.DummyCookieJar())
        headers = {"if-none-match": self._etag} if self._etag else {}
        async with self._session.get(self._url, headers=headers) as response:
            if response.status == _NOT_MODIFIED:
                return
            if response.status != _OK:
                raise ValueError(f"HTTP {response.status}")
            body = await response.content.read(_MAX_BYTES)
            while len(body) < _MAX_BYTES and (more := await response.content.read(_MAX_BYTES - len(body))):
                body += more
            self._found = parse(body)
            self._etag = response.headers.get("etag", "")
