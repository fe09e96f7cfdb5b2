"""Serves a coordinator on two ports until SIGTERM or SIGINT."""

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from boardroom.coordinator.auth.bearer import Authenticator
from boardroom.coordinator.coordinator import Coordinator
from boardroom.coordinator.http.app import create_app, create_probe_app
from boardroom.coordinator.http.connections import ApiProtocol

GRACE_SECONDS: Final = 20
"""The seconds that questions in flight may take after SIGTERM. With DRAIN_SECONDS it fits a pod's 30 s."""

KEEP_ALIVE_SECONDS: Final = 75

GC_THRESHOLD: Final = (20_000, 20, 50)
"""A question makes thousands of objects and hardly a cycle. Python's default of 700 collects several times in each."""


@dataclass(frozen=True)
class Addresses:
    """The URLs of a running coordinator."""

    api: str
    metrics: str


class _Server(uvicorn.Server):
    """A uvicorn server that leaves the process's signals alone, because two of them share a loop."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listens.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def serving(
    coordinator: Coordinator,
    *,
    authenticator: Authenticator | None = None,
    origins: Sequence[str] = (),
    host: str = "127.0.0.1",
    port: int = 0,
    metrics_port: int = 0,
) -> AsyncIterator[Addresses]:
    """Run the coordinator behind both ports (0 takes a free one); raises OSError if a port is taken. Browsers' pages of
    these origins may call it.
    """
    with _listen(host, port) as api_socket, _listen(host, metrics_port) as metrics_socket:
        api = _server(create_app(coordinator, authenticator, origins))
        probes = _server(create_probe_app(coordinator, authenticator))
        async with coordinator.running():
            tasks = [
                asyncio.create_task(server.serve(sockets=[listener]))
                for server, listener in ((api, api_socket), (probes, metrics_socket))
            ]
            try:
                await asyncio.gather(api.listens.wait(), probes.listens.wait())
                yield Addresses(_url(api_socket), _url(metrics_socket))
            finally:
                api.should_exit = True
                await tasks[0]
                probes.should_exit = True
                await tasks[1]


async def run(
    coordinator: Coordinator,
    authenticator: Authenticator | None,
    *,
    origins: Sequence[str],
    host: str,
    port: int,
    metrics_port: int,
) -> None:
    """Serve until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serving(
        coordinator, authenticator=authenticator, origins=origins, host=host, port=port, metrics_port=metrics_port
    ):
        gc.collect()
        gc.freeze()  # objects of the start stay for good: collections skip them
        gc.set_threshold(*GC_THRESHOLD)
        await stop.wait()


def _server(app: ASGIApp) -> _Server:
    return _Server(
        uvicorn.Config(
            app,
            http=ApiProtocol,
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,  # no header says where a connection comes from
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    )


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=2048)


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
