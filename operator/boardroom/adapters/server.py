"""The sidecar beside LoRAX: LoRAX has no route that lists adapters, so this one tells what lies on the volume."""

import asyncio
import hashlib
from dataclasses import asdict
from pathlib import Path
from time import monotonic
from typing import Any, Final

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from boardroom.adapters.scan import Found, Scanner

RESCAN_SECONDS: Final = 1.0


class Listing:
    """The last scan, at most a second old; one scan serves everybody who asks meanwhile."""

    def __init__(self, root: Path) -> None:
        self._scanner = Scanner(root)
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
                self._body = orjson.dumps(document)
                self._etag = f'"{hashlib.sha256(self._body).hexdigest()[:32]}"'
                self._scanned_at = monotonic()
            return self._body, self._etag


def adapter_object(found: Found) -> dict[str, Any]:
    """One entry of GET /v1/adapters."""
    adapter = found.adapter
    return {
        "name": found.name,
        "path": str(adapter.path),
        "digest": adapter.digest,
        "rank": adapter.rank,
        "baseModel": adapter.base_model,
        "targetModules": list(adapter.target_modules),
        "sizeBytes": adapter.size_bytes,
        "problem": asdict(adapter.problem) if adapter.problem else None,
    }


def application(root: Path) -> Starlette:
    """GET /v1/adapters and GET /healthz."""
    listing = Listing(root)

    async def adapters(request: Request) -> Response:
        try:
            body, etag = await listing.current()
        except OSError as error:
            document = {"error": {"code": "RootUnreadable", "message": str(error)}}
            return Response(orjson.dumps(document), 503, media_type="application/json")
        headers = {"etag": etag, "cache-control": "no-cache"}
        if etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(body, headers=headers, media_type="application/json")

    async def healthz(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    return Starlette(routes=[Route("/v1/adapters", adapters), Route("/healthz", healthz)])
