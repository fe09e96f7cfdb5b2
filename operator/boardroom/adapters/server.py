"""The sidecar beside LoRAX: LoRAX has no route that lists adapters, so this one tells what lies on the volume, and
fetches what lies elsewhere.
"""

import asyncio
import hashlib
import logging
from dataclasses import asdict
from pathlib import Path
from time import monotonic
from typing import Any, Final

import orjson
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from boardroom.adapters.fetcher import Fetcher
from boardroom.adapters.protocol import DesiredSources
from boardroom.adapters.scan import NamedAdapter, Scanner

RESCAN_SECONDS: Final = 1.0
MAX_BODY_BYTES: Final = 1 << 20

_LOG = logging.getLogger(__name__)


class ListingCache:
    """The last scan, at most a second old; one scan serves everybody who asks meanwhile."""

    def __init__(self, root: Path, fetcher: Fetcher | None) -> None:
        self._scanner = Scanner(root)
        self._fetcher = fetcher
        self._lock = asyncio.Lock()
        self._scanned_at = float("-inf")
        self._body = b""
        self._etag = ""

    async def current(self) -> tuple[bytes, str]:
        """The JSON document and its entity tag; raises FileNotFoundError when the root isn't there."""
        async with self._lock:
            if monotonic() - self._scanned_at >= RESCAN_SECONDS:
                found = await asyncio.to_thread(self._scanner.scan)
                document = {"root": str(self._scanner.root), "adapters": [adapter_object(item) for item in found]}
                if self._fetcher is not None:
                    stored = [NamedAdapter(adapter.path.name, adapter) for adapter in await self._fetcher.stored()]
                    document["sources"] = self._fetcher.report()
                    document["stored"] = [adapter_object(item) for item in stored]
                self._body = orjson.dumps(document)
                self._etag = f'"{hashlib.sha256(self._body).hexdigest()[:32]}"'
                self._scanned_at = monotonic()
            return self._body, self._etag

    def invalidate(self) -> None:
        """What was wanted changed: look again at the next request."""
        self._scanned_at = float("-inf")


def adapter_object(found: NamedAdapter) -> dict[str, Any]:
    """One entry of GET /v1/adapters."""
    adapter = found.adapter
    return {
        "name": found.name,
        "path": str(adapter.path),
        "digest": adapter.digest,
        "rank": adapter.rank,
        "baseModel": adapter.base_model,
        "targetModules": list(adapter.target_modules),
        "modules": list(adapter.modules),
        "sizeBytes": adapter.size_bytes,
        "problem": asdict(adapter.problem) if adapter.problem else None,
    }


def application(root: Path, fetcher: Fetcher | None = None) -> Starlette:
    """GET /v1/adapters and GET /healthz; with a fetcher also PUT /v1/sources."""
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
            message = "this service only looks; start it with --store DIR to have it fetch"
            return _refusal(404, "NoStore", message)
        body = await bounded_body(request, MAX_BODY_BYTES)
        if body is None:
            return _refusal(413, "TooLarge", f"the body has more than {MAX_BODY_BYTES} bytes")
        try:
            wanted = DesiredSources.read(body)
        except ValueError as error:
            return _refusal(422, "Invalid", str(error))
        await fetcher.set_desired(wanted)
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
    """The body of a request, or None where it has more bytes than that."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            return None
    return bytes(body)


async def client_left(request: Request, _: Exception) -> Response:
    """What becomes of a request whose client left before it was whole: one line, and an answer that nobody reads."""
    _LOG.warning(
        "a client left before its request was whole", extra={"method": request.method, "path": request.url.path}
    )
    return Response(status_code=400)


def _refusal(status: int, code: str, message: str) -> Response:
    return Response(orjson.dumps({"error": {"code": code, "message": message}}), status, media_type="application/json")
