"""The loader pod's HTTP service: `boardroom adapters push` uploads adapters to it through a port-forward.

The service listens on the pod's loopback only, so that only clients who may forward ports to the pod reach it.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from boardroom.adapters.server import bounded_body, client_left
from boardroom.adapters.uploads import Upload, UploadError, UploadStore

_CHUNK_BYTES: Final = 1 << 20
_MAX_COMMIT_BYTES: Final = 4096
_IDLE_CHECK_SECONDS: Final = 1.0


class _CommitRequest(msgspec.Struct):
    name: str
    digest: str


class Receiver:
    """Serves one push, until the client ends it or has been idle for `idle_seconds`."""

    def __init__(self, uploads: UploadStore, idle_seconds: float) -> None:
        self._uploads = uploads
        self._idle_seconds = idle_seconds
        self._active_at = time.monotonic()
        self._busy_count = 0
        """Adapters that are being read or written, which takes long for large ones: the client is silent then."""
        self.done = asyncio.Event()
        """Set when the client has ended the push."""

    async def status(self, request: Request) -> Response:
        """GET: whether the volume has the adapter already, and which of its files have been received."""
        digest, name = request.path_params["digest"], request.query_params.get("name", "")
        with self._busy():
            there = await asyncio.to_thread(self._uploads.contains, name, digest)
            files = {} if there else await asyncio.to_thread(self._uploads.received, digest)
        return _json({"there": there, "files": files})

    async def put_file(self, request: Request) -> Response:
        """PUT: receive one file."""
        length = request.headers.get("content-length", "")
        if not length.isascii() or not length.isdigit():
            raise UploadError(411, "LengthRequired", "send the file with a Content-Length")
        digest, file = request.path_params["digest"], request.path_params["file"]
        upload = await asyncio.to_thread(self._uploads.start, digest, file, int(length))
        try:
            await self._copy(request, upload)
            with self._busy():
                await asyncio.to_thread(upload.finish)
        finally:
            await asyncio.to_thread(upload.abort)
        return Response(status_code=204)

    async def commit(self, request: Request) -> Response:
        """POST: put a received adapter under its name."""
        body = await bounded_body(request, _MAX_COMMIT_BYTES)
        if body is None:
            raise UploadError(413, "TooLarge", f"the body has more than {_MAX_COMMIT_BYTES} bytes")
        try:
            commit = msgspec.json.decode(body, type=_CommitRequest)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise UploadError(422, "Invalid", str(error)) from error
        with self._busy():
            return _json({"written": await asyncio.to_thread(self._uploads.commit, commit.name, commit.digest)})

    async def end(self, _: Request) -> Response:
        """POST: the client has no more adapters."""
        self.done.set()
        return Response(status_code=204)

    async def wait_until_idle(self) -> None:
        """Wait until the client has been idle for too long."""
        while True:
            remaining = self._idle_seconds - (time.monotonic() - self._active_at)
            if remaining <= 0 and not self._busy_count:
                return
            await asyncio.sleep(max(remaining, _IDLE_CHECK_SECONDS))

    async def _copy(self, request: Request, upload: Upload) -> None:
        waiting = bytearray()
        async for chunk in request.stream():
            self._note_activity()
            waiting += chunk
            if len(waiting) >= _CHUNK_BYTES:
                await asyncio.to_thread(upload.write, bytes(waiting))
                waiting.clear()
        await asyncio.to_thread(upload.write, bytes(waiting))

    @contextmanager
    def _busy(self) -> Iterator[None]:
        self._busy_count += 1
        try:
            yield
        finally:
            self._busy_count -= 1
            self._note_activity()

    def _note_activity(self) -> None:
        self._active_at = time.monotonic()


def application(receiver: Receiver) -> Starlette:
    """Return the application; a refusal is answered as {"error": {"code", "message"}}."""

    async def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, UploadError)  # noqa: S101 (registered for this class)
        return _json({"error": {"code": error.code, "message": str(error)}}, error.status)

    async def healthz(_: Request) -> Response:
        return Response("ok\n", media_type="text/plain")

    return Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/v1/adapters", receiver.commit, methods=["POST"]),
            Route("/v1/incoming/{digest}", receiver.status),
            Route("/v1/incoming/{digest}/{file}", receiver.put_file, methods=["PUT"]),
            Route("/v1/done", receiver.end, methods=["POST"]),
        ],
        exception_handlers={UploadError: refused, ClientDisconnect: client_left},
    )


async def serve(root: Path, *, limit: int, idle_seconds: float, host: str, port: int) -> bool:
    """Serve until the client has ended the push (True) or is idle for too long (False); raises UploadError, OSError."""
    uploads = UploadStore(root, limit)
    await asyncio.to_thread(uploads.delete_stale)
    receiver = Receiver(uploads, idle_seconds)
    config = uvicorn.Config(
        application(receiver), host=host, port=port, log_config=None, access_log=False, lifespan="off"
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    ends = [asyncio.create_task(receiver.done.wait()), asyncio.create_task(receiver.wait_until_idle()), serving]
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    await serving
    for task in ends[:2]:
        task.cancel()
    return receiver.done.is_set()


def _json(body: object, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")
