"""Several coordinators of one board in the test's own loop, on real sockets, in front of the same simulated LoRAX."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from boardroom.api.meta import COORDINATOR_MANAGER
from boardroom.api.settings import Defaults
from boardroom.cli.processes import free_port
from boardroom.coordinator.backends.backend import Backend
from boardroom.coordinator.backends.endpoints import Endpoint
from boardroom.coordinator.board.sources import FileSource
from boardroom.coordinator.coordinator import Coordinator
from boardroom.coordinator.http.server import serving
from boardroom.coordinator.peers.membership import Peers
from boardroom.kube.kinds import ENDPOINT_SLICE, LEASE
from boardroom.kube.lease import LeaseTiming
from component.coordinator.standing_board import Board, until
from component.coordinator.standing_fleet import ListedEndpoints
from unit.kube.fake_kube import Cluster, FakeKube

LEASE_KEY: Final = (LEASE, ("default", "executive-coordinator"))
TIMING: Final = LeaseTiming(duration=2, renew_deadline=1.5, retry_period=0.3)


def lease_holder(cluster: Cluster) -> str:
    """The identity in the board's Lease."""
    return str(cluster.objects[LEASE_KEY]["spec"]["holderIdentity"])


def set_addresses(cluster: Cluster, *addresses: str) -> None:
    """The addresses of the board's coordinators, as the API server knows them."""
    endpoints = [{"addresses": [address]} for address in addresses]
    metadata = {"name": "s", "namespace": "default"}
    FakeKube(cluster).put(ENDPOINT_SLICE, {"metadata": metadata, "addressType": "IPv4", "endpoints": endpoints})


@dataclass
class Peer:
    """One coordinator."""

    coordinator: Coordinator
    kube: FakeKube
    client: httpx.AsyncClient
    probes: str

    @property
    def peers(self) -> Peers:
        assert self.coordinator.peers is not None
        return self.coordinator.peers

    @property
    def backend(self) -> Backend:
        assert self.coordinator.pool is not None
        (backend,) = self.coordinator.pool.backends.values()
        return backend

    async def ask(self, **body: Any) -> httpx.Response:
        return await self.client.post("/v1/ask", json={"user_input": "And now?"} | body)

    async def answer(self, **body: Any) -> dict[str, Any]:
        found: dict[str, Any] = (await self.ask(**body)).raise_for_status().json()
        return found

    async def wait_ready(self, count: int) -> None:
        await until(lambda: len(self.backend.registry.ready()) == count and self.backend.admission.is_open)


@dataclass
class StandingPeers:
    """The coordinators by name."""

    board: Board
    endpoints: tuple[Endpoint, ...]
    cluster: Cluster = field(default_factory=Cluster)
    timing: LeaseTiming = TIMING
    _stops: dict[str, asyncio.Event] = field(default_factory=dict)
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    found: dict[str, Peer] = field(default_factory=dict)

    def __post_init__(self) -> None:
        set_addresses(self.cluster, "127.0.0.1")

    @property
    def holder(self) -> str:
        return lease_holder(self.cluster)

    async def start(self, name: str) -> Peer:
        started, stop = asyncio.Event(), asyncio.Event()
        self._stops[name] = stop
        self._tasks[name] = asyncio.create_task(self._run(name, started, stop))
        waiting = asyncio.create_task(started.wait())
        await asyncio.wait({waiting, self._tasks[name]}, return_when=asyncio.FIRST_COMPLETED)
        if self._tasks[name].done():
            self._tasks[name].result()
        return self.found[name]

    async def stop(self, name: str) -> None:
        """As SIGTERM does."""
        self._stops[name].set()
        await self._tasks.pop(name)

    async def kill(self, name: str) -> None:
        """It answers nobody, renews nothing and sends nothing any more, as after SIGKILL."""
        peer = self.found[name]
        peer.kube.away = True
        await peer.peers._jobs.stop()
        peer.peers.is_leader = False
        pool = peer.coordinator.pool
        assert pool is not None
        pool.grant(float("-inf"))
        await pool.follow()

    async def close(self) -> None:
        for name in list(self._tasks):
            await self.stop(name)

    async def _run(self, name: str, started: asyncio.Event, stop: asyncio.Event) -> None:
        endpoints = ListedEndpoints(*self.endpoints)
        source = FileSource(self.board.file, None, Defaults(), str(self.board.models), endpoints.changes)
        source.load()
        kube, port = FakeKube(self.cluster, COORDINATOR_MANAGER), free_port()
        coordinator = Coordinator(
            source,
            endpoints.changes,
            endpoints=endpoints,
            peers=lambda pool, on_started_leading: Peers(
                kube,
                "executive",
                "default",
                f"127.0.0.1:{port}",
                pool=pool,
                changes=endpoints.changes,
                on_started_leading=on_started_leading,
                timing=self.timing,
            ),
        )
        coordinator.drain_seconds = 0.1
        async with (
            serving(coordinator, metrics_port=port) as addresses,
            httpx.AsyncClient(base_url=addresses.api, timeout=60, trust_env=False) as client,
        ):
            self.found[name] = Peer(coordinator, kube, client, addresses.metrics)
            started.set()
            await stop.wait()


@contextlib.asynccontextmanager
async def standing_peers(
    board: Board, *endpoints: Endpoint, timing: LeaseTiming = TIMING
) -> AsyncIterator[StandingPeers]:
    stand = StandingPeers(board, endpoints, timing=timing)
    try:
        yield stand
    finally:
        await stand.close()
