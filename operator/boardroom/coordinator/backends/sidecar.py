"""The client of the sidecar beside LoRAX, which reports the adapters on the volume and the progress of its fetches."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import aiohttp

from boardroom.adapters.protocol import AdapterFiles, AdapterListing, DesiredSources, SourceEntry

POLL_SECONDS: Final = 3.0
REPEAT_SECONDS: Final = 30.0
"""The client repeats the wanted sources at this interval: the sidecar forgets sources that no client asks for."""
_TIMEOUT: Final = aiohttp.ClientTimeout(total=60, sock_connect=3)  # the first answer waits until every file is hashed
_MAX_BYTES: Final = 16 * 1024 * 1024
_OK: Final = 200
_NO_CONTENT: Final = 204
_NOT_MODIFIED: Final = 304

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class SidecarReport:
    """A report of the sidecar."""

    volume: Mapping[str, AdapterFiles] = field(default_factory=dict)
    """Files on the volume, by the adapter's name below the mount."""
    stored: Mapping[str, AdapterFiles] = field(default_factory=dict)
    """Fetched files, by their directory."""
    fetched: Mapping[str, SourceEntry] = field(default_factory=dict)
    """The progress of each fetch, by the source's key."""


def parse(body: bytes) -> SidecarReport:
    """Parse the sidecar's GET /v1/adapters; raises ValueError."""
    listing = AdapterListing.decode(body)
    return SidecarReport(
        volume={entry.name: entry.files for entry in listing.adapters},
        stored={entry.path: entry.files for entry in listing.stored or ()},
        fetched={entry.source: entry for entry in listing.sources or ()},
    )


class SidecarClient:
    """Polls the sidecar. The last report stays valid while the sidecar can't be reached.

    `wanted` returns the sources that the sidecar must fetch. None: not known yet.
    """

    def __init__(self, url: str, wanted: Callable[[], DesiredSources | None] = lambda: None) -> None:
        self._url = f"{url.rstrip('/')}/v1"
        self._wanted = wanted
        self._etag = ""
        self._session: aiohttp.ClientSession | None = None
        self._sent: DesiredSources | None = None
        self._sent_at = float("-inf")
        self.report: SidecarReport | None = None
        """None before the first answer."""
        self.error = ""
        """Why the last poll failed."""

    async def poll(self) -> bool:
        """Polls the sidecar once. True: the sidecar has answered, and `report` is current."""
        try:
            await self._get_report()
            if await self._put_wanted():
                await self._get_report()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            failure = f"{type(error).__name__}: {error}"
            if failure != self.error:
                _LOG.warning("the adapters service can't be read", extra={"url": self._url, "error": failure})
            self.error = failure
            return False
        self.error = ""
        return True

    def set_remote(self, report: SidecarReport | None) -> None:
        """Take in a report that another coordinator has polled."""
        self.report = report

    async def close(self) -> None:
        """Close the connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    @property
    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=_TIMEOUT, cookie_jar=aiohttp.DummyCookieJar())
        return self._session

    async def _get_report(self) -> None:
        headers = {"if-none-match": self._etag} if self._etag else {}
        async with self._http.get(f"{self._url}/adapters", headers=headers) as response:
            if response.status == _NOT_MODIFIED:
                return
            if response.status != _OK:
                raise ValueError(f"HTTP {response.status}")
            body = await response.content.read(_MAX_BYTES)
            while len(body) < _MAX_BYTES and (more := await response.content.read(_MAX_BYTES - len(body))):
                body += more
            self.report = parse(body)
            self._etag = response.headers.get("etag", "")

    async def _put_wanted(self) -> bool:
        """Send the wanted sources to the sidecar if it may not have them; returns whether they were sent."""
        wanted = self._wanted()
        if wanted is None or not (wanted.sources or wanted.keep or self._sent):
            return False
        known = self.report.fetched if self.report else {}
        now = asyncio.get_running_loop().time()
        known_all = all(item.source.key in known for item in wanted.sources)
        if known_all and wanted == self._sent and now < self._sent_at + REPEAT_SECONDS:
            return False
        async with self._http.put(f"{self._url}/sources", json=wanted.to_object()) as response:
            if response.status != _NO_CONTENT:
                raise ValueError(f"PUT /v1/sources: HTTP {response.status}: {(await response.text())[:500]}")
        self._sent, self._sent_at = wanted, now
        return True
