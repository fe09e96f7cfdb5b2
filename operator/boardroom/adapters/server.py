"""The sidecar's HTTP service: lists the adapters on the volume, and fetches those that are elsewhere.

LoRAX itself has no route that lists adapters (docs/lorax.md#no-adapter-inventory).
"""

import asyncio
import hashlib
import logging
from pathlib import Path
from time import monotonic
from typing import Final

import orjson
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from boardroom.adapters.fetcher import Fetcher
from boardroom.adapters.protocol import AdapterEntry, AdapterListing, DesiredSources
from boardroom.adapters.scan import Scanner

RESCAN_SECONDS: Final = 1.0
MAX_BODY_BYTES: Final = 1 << 20

_LOG = logging.getLogger(__name__)


class ListingCache:
    """The last scan, at most a second old; concurrent requests share one scan."""

    def __init__(self, root: Path, fetcher: Fetcher | None) -> None:
        self._scanner = Scanner(root)
        self._fetcher = fetcher
        self._lock = asyncio.Lock()
        self._scanned_at = float("-inf")
        self._body = b""
        self._etag = ""

    async def current(self) -> tuple[bytes, str]:
        """Return the listing as JSON and its entity tag; raises FileNotFoundError if the root is missing."""
        async with self._lock:
            if monotonic() - self._scanned_at >= RESCAN_SECONDS:
                self._body = (await self._listing()).encode()
                self._etag = f'"{hashlib.sha256(self._body).hexdigest()[:32]}"'
                self._scanned_at = monotonic()
            return self._body, self._etag

    def invalidate(self) -> None:
        """Scan again at the next request."""
        self._scanned_at = float("-inf")

    async def _listing(self) -> AdapterListing:
        scanned = await asyncio.to_thread(self._scanner.scan)
        root, adapters = str(self._scanner.root), tuple(AdapterEntry.of(item.name, item.adapter) for item in scanned)
        if self._fetcher is None:
            return AdapterListing(root=root, adapters=adapters)
        stored = tuple(AdapterEntry.of(adapter.path.name, adapter) for adapter in await self._fetcher.stored())
        return AdapterListing(root=root, adapters=adapters, sources=self._fetcher.report(), stored=stored)


def application(root: Path, fetcher: Fetcher | None = None) -> Starlette:
    """Return the application: GET /v1/adapters and GET /healthz; with a fetcher also PUT /v1/sources."""
    listing = ListingCache(root, fetcher)

    async def adapters(request: Request) -> Response:
        try:
            body, etag = await listing.current()
        except OSError as error:
            return _refusal(503, "RootUnreadable", str(error))
        headers = {"etag": etag, "cache-control": "no-cache"}
        if etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(body, headers=headers, media_type="application/json")

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def sources(request: Request) -> Response:
        if fetcher is None:
            message = "this service only lists adapters; start it with --store DIR to have it fetch some"
            return _refusal(404, "NoStore", message)
        body = await bounded_body(request, MAX_BODY_BYTES)
        if body is None:
            return _refusal(413, "TooLarge", f"the body has more than {MAX_BODY_BYTES} bytes")
        try:
            desired = DesiredSources.decode(body)
        except ValueError as error:
            return _refusal(422, "Invalid", str(error))
        await fetcher.set_desired(desired)
        listing.invalidate()
        return Response(status_code=204)

    return Starlette(
        routes=[
            Route("/v1/adapters", adapters),
            Route("/v1/sources", sources, methods=["PUT"]),
            Route("/healthz", healthz),
        ],
        exception_handlers={ClientDisconnect: client_left},
    )


async def bounded_body(request: Request, limit: int) -> bytes | None:
    """Return the body of a request; None if it has more than `limit` bytes."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            return None
    return bytes(body)


async def client_left(request: Request, _: Exception) -> Response:
    """Log that a client disconnected before its request was complete. The response goes nowhere."""
    where = {"method": request.method, "path": request.url.path}
    _LOG.warning("a client disconnected before its request was complete", extra=where)
    return Response(status_code=400)


def _refusal(status: int, code: str, message: str) -> Response:
    return Response(orjson.dumps({"error": {"code": code, "message": message}}), status, media_type="application/json")
