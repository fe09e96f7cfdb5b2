"""A board that stands on local servers in the test's own loop: simulated LoRAX, adapters service, coordinator."""

import asyncio
import contextlib
import dataclasses
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import uvicorn
import yaml

from boardroom.adapters.server import application
from boardroom.adapters.synthetic import Shape, make, make_one
from boardroom.coordinator.auth.bearer import Authenticator
from boardroom.coordinator.backends.adapter_registry import AdapterRegistry
from boardroom.coordinator.backends.backend import Backend
from boardroom.coordinator.coordinator import Coordinator
from boardroom.coordinator.http.server import serving
from boardroom.coordinator.main import Options, standalone
from boardroom.simulator.faults import Fault
from boardroom.simulator.router.app import Application
from boardroom.simulator.router.engine import Engine
from boardroom.simulator.settings import Settings
from tools.waiting import eventually

MODEL = "mistralai/Mistral-7B-Instruct-v0.1"
ROLES = ("CEO", "CFO", "COO", "CMO", "CTO")
NAMES = sorted(role.lower() for role in ROLES)
SALT = "only the test knows"
UNLOADABLE = Fault(kind="failing-adapter", adapter="*/clo_lora_adapter")
"""The CLO's files are fine as far as the sidecar sees, and LoRAX can't load them."""
Asgi = Callable[..., Awaitable[None]]
until = eventually


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ends = asyncio.Event()

    async def main_loop(self) -> None:
        """Told that it ends, where uvicorn looks every 0.1 s: most tests have two of these."""
        await self.on_tick(0)
        await self.ends.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.contextmanager
def unused_port() -> Iterator[int]:
    """A port that refuses connections until the test serves at it, and that nobody else is given meanwhile."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # so that a server may still be bound beside it
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])


@contextlib.asynccontextmanager
async def served(app: Asgi, port: int = 0) -> AsyncIterator[str]:
    """The application behind a real socket; its URL."""
    listener = socket.create_server(("127.0.0.1", port))
    config = uvicorn.Config(app, ws="none", lifespan="off", access_log=False, log_config=None, interface="asgi3")
    config.timeout_graceful_shutdown = 1
    config.timeout_keep_alive = 3600  # as LoRAX, which never closes an idle connection under a request
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await until(lambda: server.started)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.ends.set()
        await task
        listener.close()


@dataclass
class Board:
    """The YAML of a board, and the adapters of its members."""

    directory: Path

    @property
    def file(self) -> Path:
        return self.directory / "board.yaml"

    @property
    def models(self) -> Path:
        return self.directory / "models"

    def write(self, *agents: dict[str, Any], spec: dict[str, Any] | None = None) -> None:
        board = {
            "apiVersion": "boardroom.dev/v1alpha1",
            "kind": "Boardroom",
            "metadata": {"name": "executive"},
            "spec": {"model": {"id": MODEL}} | (spec or {}),
        }
        self.file.write_text(yaml.safe_dump_all([board, *agents]))

    def make_adapters(self, *roles: str) -> None:
        make(self.models, roles, Shape(base_model=MODEL))

    def replace_adapter(self, role: str) -> None:
        """Other weights under the same path."""
        make_one(self.adapter(role), f"another {role}", Shape(base_model=MODEL))

    def adapter(self, role: str) -> Path:
        return self.models / f"{role.lower()}_lora_adapter"


def agent(role: str, *, name: str | None = None, tokens: int = 48, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "boardroom.dev/v1alpha1",
        "kind": "BoardAgent",
        "metadata": {"name": name or role.lower()},
        "spec": {"boardroomRef": {"name": "executive"}, "role": role, "generation": {"maxNewTokens": tokens}} | spec,
    }


def settings(**changes: Any) -> Settings:
    """A simulator that is fast, but still takes steps that take time."""
    fast: dict[str, Any] = {"identity_salt": SALT, "time_scale": 0.05, "model_id": MODEL}
    return Settings(**fast | changes).checked()


@contextlib.asynccontextmanager
async def simulated_lorax(port: int = 0, **changes: Any) -> AsyncIterator[tuple[str, Engine]]:
    async with Engine(settings(**changes)) as engine, served(Application(engine), port) as url:
        yield url, engine


@dataclass
class Standing:
    """A running coordinator."""

    coordinator: Coordinator
    client: httpx.AsyncClient
    metrics_url: str

    @property
    def backend(self) -> Backend:
        """The one LoRAX server."""
        assert self.coordinator.pool is not None
        (backend,) = self.coordinator.pool.backends.values()
        return backend

    @property
    def registry(self) -> AdapterRegistry:
        return self.backend.registry

    async def ask(self, **body: Any) -> httpx.Response:
        return await self.client.post("/v1/ask", json={"user_input": "And now?"} | body)

    async def answer(self, **body: Any) -> dict[str, Any]:
        found: dict[str, Any] = (await self.ask(**body)).raise_for_status().json()
        return found

    async def wait_ready(self, *roles: str) -> None:
        """Wait until exactly these adapters are known to be loaded, and nothing else can be proved now."""
        registry = self.registry
        paths = sorted(f"{role.lower()}_lora_adapter" for role in roles)
        await until(
            lambda: (
                sorted(path.rpartition("/")[2] for path in registry.ready() if path) == paths
                and not registry.unverified()
                and self.backend.admission.is_open
            )
        )


@contextlib.asynccontextmanager
async def standing(
    board: Board,
    lorax_url: str | None,
    authenticator: Authenticator | None = None,
    *,
    adapters_url: str = "",
    **options: Any,
) -> AsyncIterator[Standing]:
    """The coordinator of a board, with the adapters service beside it, unless it is somewhere else."""
    board.models.mkdir(exist_ok=True)
    async with served(application(board.models)) as beside:
        coordinator = standalone(
            Options(
                lorax_url=lorax_url,
                adapters_url=adapters_url or beside,
                adapters_root=str(board.models),
                file=board.file,
                **options,
            ),
            board.file,
        )
        coordinator.drain_seconds = 0.1
        async with (
            serving(coordinator, authenticator=authenticator) as addresses,
            httpx.AsyncClient(base_url=addresses.api, timeout=60, trust_env=False) as client,
        ):
            yield Standing(coordinator, client, addresses.metrics)


async def try_again(backend: Backend, path: str) -> None:
    """The prober asks once more for an adapter that can't be loaded: LoRAX evicts good ones for it."""
    await until(lambda: backend.prober.idle)  # else it rests, as after a wave that told nothing
    failures = backend.registry[path].failures
    retry_at(backend.registry, path, 0.0)
    backend.wake()
    await until(lambda: backend.registry[path].failures > failures)


def retry_at(registry: AdapterRegistry, path: str, seconds: float) -> None:
    """As if the back-off of a failed adapter ended then."""
    entry = registry._entries[path]  # no clock to move
    entry.state = dataclasses.replace(entry.state, retry_at=seconds)


def by_role(answer: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {a["role"]: a for a in answer["answers"]}


async def until_counted(client: httpx.AsyncClient, stand: Standing, line: str) -> None:
    async with asyncio.timeout(20):
        while line not in (await client.get(f"{stand.metrics_url}/metrics")).text:  # noqa: ASYNC110 (another task's)
            await asyncio.sleep(0.1)
