"""One question to N members: what a LoRAX batch costs beside every other way to ask them, on virtual time.

The GPU is the simulator's cost model (profiles.toml has the source of every number); scheduling, loading and batching
are the simulator's, which follow LoRAX's. So these are figures of a model, and their ratios are what carries over.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from boardroom.adapters.synthetic import Shape, make
from boardroom.engine.lorax.driver import LoraxEngine
from boardroom.engine.protocol import GenerationRequest
from boardroom.simulator.inprocess import InProcessTransport
from boardroom.simulator.router.engine import Engine
from boardroom.simulator.settings import Settings
from boardroom.simulator.virtual import VirtualTimeLoop

SIZES = (1, 2, 3, 4, 5, 8, 10, 12, 16, 20, 24, 28, 32)
QUICK_SIZES = (1, 3, 5, 10)
PROFILES = ("a100-80gb-7b", "a10g-24gb-7b")
QUESTION = "Analyze Q2 performance and recommend a strategy for the coming quarter, with the reasons. " * 8
SYSTEM = "You sit on the board. Speak for your role, in figures where you have them. " * 4
TOKENS = 128
PAUSE = 30.0
"""Virtual seconds between warming up and the question."""
_RANK_16 = Shape(rank=16)
_LONG = 100_000.0


@dataclass(frozen=True, kw_only=True)
class Point:
    """One question: seconds until its last answer, and seconds that GPUs worked for it; `gpus` were reserved."""

    profile: str
    way: str
    members: int
    gpus: int
    wall: float
    gpu_seconds: float


@dataclass(frozen=True)
class Board:
    """LoRAX servers on virtual time."""

    engines: Sequence[Engine]
    drivers: Sequence[LoraxEngine]

    @property
    def gpu_seconds(self) -> float:
        """All that their GPUs have worked."""
        return sum(engine.shard.steps.gpu_seconds for engine in self.engines)

    async def ask(self, adapters: Sequence[str | None], tokens: int = TOKENS) -> None:
        """All at once, dealt out to the servers in turn."""
        async with asyncio.TaskGroup() as group:
            for index, adapter in enumerate(adapters):
                group.create_task(self.ask_one(adapter, index % len(self.drivers), tokens))

    async def ask_one(self, adapter: str | None, server: int = 0, tokens: int = TOKENS) -> None:
        """One member."""
        request = GenerationRequest(
            request_id="bench", system=SYSTEM, prompt=QUESTION, adapter_id=adapter, max_new_tokens=tokens
        )
        await self.drivers[server].generate(request, _LONG)


def measure(*, quick: bool = False) -> dict[str, Any]:
    """Every way to ask boards of 1 to 32 members."""
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder)
        sizes = QUICK_SIZES if quick else SIZES
        make(models, [f"R{index}" for index in range(max(sizes))], _RANK_16)
        adapters = [f"{models}/r{index}_lora_adapter" for index in range(max(sizes))]
        points = [
            _asked(profile, way, adapters[:members])
            for profile in (PROFILES[:1] if quick else PROFILES)
            for members in sizes
            for way in WAYS
        ]
    return {"tokens": TOKENS, "points": [asdict(point) for point in points]}


Ask = Callable[[Board, Sequence[str]], Awaitable[None]]


async def _together(board: Board, adapters: Sequence[str]) -> None:
    await board.ask(adapters)


async def _bare(board: Board, adapters: Sequence[str]) -> None:
    await board.ask([None] * len(adapters))


async def _one_by_one(board: Board, adapters: Sequence[str]) -> None:
    for adapter in adapters:
        await board.ask_one(adapter)


async def _one_each(board: Board, adapters: Sequence[str], tokens: int = TOKENS) -> None:
    await asyncio.gather(*(board.ask_one(adapter, server, tokens) for server, adapter in enumerate(adapters)))


async def _nothing(board: Board, adapters: Sequence[str]) -> None:
    """Cold."""


async def _warm(board: Board, adapters: Sequence[str]) -> None:
    for driver in board.drivers:
        await Board(board.engines, [driver]).ask(adapters, tokens=1)


async def _warm_each(board: Board, adapters: Sequence[str]) -> None:
    await _one_each(board, adapters, tokens=1)


@dataclass(frozen=True)
class Way:
    """How a board is asked: what is done before, on how many GPUs (0: one for each member)."""

    name: str
    ask: Ask
    before: Ask = _warm
    gpus: int = 1
    preloaded: bool = False


WAYS = (
    Way("batch, warm", _together),
    Way("batch, cold", _together, before=_nothing),
    Way("batch, preloaded", _together, before=_nothing, preloaded=True),
    Way("batch over 2 replicas, warm", _together, gpus=2),
    Way("one after another, warm", _one_by_one),
    Way("one GPU per agent, warm", _one_each, before=_warm_each, gpus=0),
    Way("prompts only, no adapters", _bare, before=_nothing),
)


def _asked(profile: str, way: Way, adapters: Sequence[str]) -> Point:
    """One size of board, asked in one way."""
    servers = way.gpus or len(adapters)
    settings = Settings(
        adapter_source="local", profile=profile, preloaded_adapter_ids=tuple(adapters) if way.preloaded else ()
    ).checked()

    async def run() -> tuple[float, float]:
        async with _board(settings, servers) as board:
            await way.before(board, adapters)
            await asyncio.sleep(PAUSE)
            loop, worked = asyncio.get_running_loop(), board.gpu_seconds
            began = loop.time()
            await way.ask(board, adapters)
            return loop.time() - began, board.gpu_seconds - worked

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        wall, gpu_seconds = runner.run(run())
    return Point(profile=profile, way=way.name, members=len(adapters), gpus=servers, wall=wall, gpu_seconds=gpu_seconds)


@asynccontextmanager
async def _board(settings: Settings, servers: int) -> AsyncIterator[Board]:
    async with AsyncExitStack() as stack:
        engines = [await stack.enter_async_context(Engine(settings)) for _ in range(servers)]
        yield Board(engines, [LoraxEngine("", InProcessTransport(engine)) for engine in engines])
