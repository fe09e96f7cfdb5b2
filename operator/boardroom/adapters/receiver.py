"""The loader's HTTP service: `boardroom adapters push` sends adapters to it through a port-forward.

It listens on the pod's loopback only, so that nobody reaches it but who may forward ports to the pod.
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

from boardroom.adapters.server import bounded_body, left
from boardroom.adapters.uploads import Arrival, Inbox, RefusedError

_CHUNK_BYTES: Final = 1 << 20
_MAX_ORDER_BYTES: Final = 4096
_LOOK_SECONDS: Final = 1.0


class _Order(msgspec.Struct):
    name: str
    digest: str


class Loader:
    """Serves one push; `idle_seconds` without a word of the client end it."""

    def __init__(self, inbox: Inbox, idle_seconds: float) -> None:
        self._inbox = inbox
        self._idle_seconds = idle_seconds
        self._heard_at = time.monotonic()
        self._at_work = 0
        """Adapters that are being read, or written out; of large ones nothing is heard for a while."""
        self.done = asyncio.Event()
        """The client has said that there is no more to come."""

    async def look(self, request: Request) -> Response:
        """Whether an adapter lies there, and what of it has arrived."""
        digest, name = request.path_params["digest"], request.query_params.get("name", "")
        with self._busy():
            there = await asyncio.to_thread(self._inbox.there, name, digest)
            files = {} if there else await asyncio.to_thread(self._inbox.begun, digest)
        return _json({"there": there, "files": files})

    async def receive(self, request: Request) -> Response:
        """One file."""
        length = request.headers.get("content-length", "")
        if not length.isascii() or not length.isdigit():
            raise RefusedError(411, "LengthRequired", "send the file with a Content-Length")
        digest, file = request.path_params["digest"], request.path_params["file"]
        arrival = await asyncio.to_thread(self._inbox.begin, digest, file, int(length))
        try:
            await self._copy(request, arrival)
            with self._busy():
                await asyncio.to_thread(arrival.finish)
        finally:
            await asyncio.to_thread(arrival.abandon)
        return Response(status_code=204)

    async def place(self, request: Request) -> Response:
        """Gives an adapter its name."""
        body = await bounded_body(request, _MAX_ORDER_BYTES)
        if body is None:
            raise RefusedError(413, "TooLarge", f"the body has more than {_MAX_ORDER_BYTES} bytes")
        try:
            order = msgspec.json.decode(body, type=_Order)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise RefusedError(422, "Invalid", str(error)) from error
        with self._busy():
            return _json({"written": await asyncio.to_thread(self._inbox.place, order.name, order.digest)})

    async def finish(self, _: Request) -> Response:
        """There is no more to come."""
        self.done.set()
        return Response(status_code=204)

    async def silence(self) -> None:
        """Returns when nothing has been heard for too long."""
        while True:
            left = self._idle_seconds - (time.monotonic() - self._heard_at)
            if left <= 0 and not self._at_work:
                return
            await asyncio.sleep(max(left, _LOOK_SECONDS))

    async def _copy(self, request: Request, arrival: Arrival) -> None:
        waiting = bytearray()
        async for chunk in request.stream():
            self._hear()
            waiting += chunk
            if len(waiting) >= _CHUNK_BYTES:
                await asyncio.to_thread(arrival.write, bytes(waiting))
                waiting.clear()
        await asyncio.to_thread(arrival.write, bytes(waiting))

    @contextmanager
    def _busy(self) -> Iterator[None]:
        self._at_work += 1
        try:
            yield
        finally:
            self._at_work -= 1
            self._hear()

    def _hear(self) -> None:
        self._heard_at = time.monotonic()


def application(loader: Loader) -> Starlette:
    """The routes; a refusal is answered as {"error": {"code", "message"}}."""

    async def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, RefusedError)  # noqa: S101 (registered for this class)
        return _json({"error": {"code": error.code, "message": str(error)}}, error.status)

    async def healthz(_: Request) -> Response:
        return Response("ok\n", media_type="text/plain")

    return Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/v1/adapters", loader.place, methods=["POST"]),
            Route("/v1/incoming/{digest}", loader.look),
            Route("/v1/incoming/{digest}/{file}", loader.receive, methods=["PUT"]),
            Route("/v1/done", loader.finish, methods=["POST"]),
        ],
        exception_handlers={RefusedError: refused, ClientDisconnect: left},
    )


async def serve(root: Path, *, limit: int, idle_seconds: float, host: str, port: int) -> bool:
    """Serve until the client is done (True) or has been silent for too long (False). Raises RefusedError, OSError."""
    inbox = Inbox(root, limit)
    await asyncio.to_thread(inbox.clear)
    loader = Loader(inbox, idle_seconds)
    config = uvicorn.Config(
        application(loader), host=host, port=port, log_config=None, access_log=False, lifespan="off"
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    ends = [asyncio.create_task(loader.done.wait()), asyncio.create_task(loader.silence()), serving]
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    await serving
    for task in ends[:2]:
        task.cancel()
    return loader.done.is_set()


def _json(body: object, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")
