"""A board with several LoRAX servers that come and go, all of them simulators in the test's own loop."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from boardroom.adapters.server import application
from boardroom.api.settings import Defaults
from boardroom.coordinator.backends.backend import Backend
from boardroom.coordinator.backends.endpoints import Endpoint
from boardroom.coordinator.board.sources import FileSource
from boardroom.coordinator.changes import Changes
from boardroom.coordinator.coordinator import Coordinator
from boardroom.coordinator.http.server import serving
from boardroom.simulator.router.engine import Engine
from component.coordinator.standing_board import Board, served, simulated_lorax, until


class ListedEndpoints:
    """Servers as a test lists them."""

    def __init__(self, *found: Endpoint) -> None:
        self.found: tuple[Endpoint, ...] | None = found
        self.changes = Changes()

    async def run(self) -> None:
        await until(lambda: False, seconds=3600)

    def list(self, *found: Endpoint) -> None:
        self.found = found
        self.changes.notify()


@dataclass
class Servers:
    """The simulators by name, and who was asked what there."""

    engines: dict[str, Engine] = field(default_factory=dict)
    endpoints: dict[str, Endpoint] = field(default_factory=dict)

    def asked(self, name: str) -> list[str]:
        """Request ids of the questions that ended there, without probes."""
        requests = self.engines[name].usage.since(0)["requests"]
        return [r["request_id"] for r in requests if not r["request_id"].startswith("probe-")]


@contextlib.asynccontextmanager
async def simulated_servers(board: Board, *names: str, **changes: Any) -> AsyncIterator[Servers]:
    servers = Servers()
    board.models.mkdir(exist_ok=True)
    async with contextlib.AsyncExitStack() as stack:
        adapters = await stack.enter_async_context(served(application(board.models)))
        for name in names:
            url, servers.engines[name] = await stack.enter_async_context(simulated_lorax(**changes))
            servers.endpoints[name] = Endpoint(key=name, name=name, url=url, adapters_url=adapters)
        yield servers


@dataclass
class StandingPool:
    """A running coordinator of several servers."""

    coordinator: Coordinator
    endpoints: ListedEndpoints
    client: httpx.AsyncClient

    def backend(self, name: str) -> Backend:
        assert self.coordinator.pool is not None
        return self.coordinator.pool.backends[name]

    async def ask(self, **body: Any) -> httpx.Response:
        return await self.client.post("/v1/ask", json={"user_input": "And now?"} | body)

    async def answer(self, **body: Any) -> dict[str, Any]:
        found: dict[str, Any] = (await self.ask(**body)).raise_for_status().json()
        return found

    async def wait_ready(self, count: int, *names: str) -> None:
        """Wait until so many adapters are proved on each of these servers, and their waves are over."""
        await self.coordinator.settled()
        await until(
            lambda: all(
                len(self.backend(n).registry.ready()) == count and self.backend(n).admission.is_open for n in names
            )
        )


@contextlib.asynccontextmanager
async def standing_pool(board: Board, endpoints: ListedEndpoints) -> AsyncIterator[StandingPool]:
    source = FileSource(board.file, None, Defaults(), str(board.models), endpoints.changes)
    source.load()
    coordinator = Coordinator(source, endpoints.changes, endpoints=endpoints)
    coordinator.drain_seconds = 0.1
    async with (
        serving(coordinator) as addresses,
        httpx.AsyncClient(base_url=addresses.api, timeout=60, trust_env=False) as client,
    ):
        yield StandingPool(coordinator, endpoints, client)
