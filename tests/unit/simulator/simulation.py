"""Helpers of the simulator's tests: an engine on virtual time, and one behind httpx."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
import msgspec

from boardroom.adapters.synthetic import Shape, make
from boardroom.simulator.entry import Entry
from boardroom.simulator.faults import convert_fault
from boardroom.simulator.router.app import Application
from boardroom.simulator.router.engine import Engine
from boardroom.simulator.router.request import Parameters
from boardroom.simulator.router.validation import Prompt
from boardroom.simulator.settings import Settings
from boardroom.simulator.virtual import VirtualTimeLoop

MODEL = "mistralai/Mistral-7B-Instruct-v0.1"
T = TypeVar("T")


class Simulation:
    """An engine, and members who ask it through their adapters."""

    def __init__(self, engine: Engine, models: Path) -> None:
        self.engine = engine
        self.models = models

    def adapter(self, name: str) -> str | None:
        """The adapter of a member; the base model for ""."""
        return f"{self.models}/{name}_lora_adapter" if name else None

    async def ask(self, name: str, *, max_new_tokens: int = 8, prompt: str = "What now?", **parameters: Any) -> Entry:
        """One member's answer."""
        ended = asyncio.Event()
        wanted = {"adapter_id": self.adapter(name), "max_new_tokens": max_new_tokens, **parameters}
        entry = self.engine.submit(
            Prompt(prompt),
            msgspec.convert(wanted, Parameters),
            on_change=ended.set,
            request_id=name or "base",
        )
        await ended.wait()
        self.engine.release(entry)
        return entry

    async def ask_all(self, names: Sequence[str], **parameters: Any) -> list[Entry]:
        """Members asked at once."""
        return await asyncio.gather(*(self.ask(name, **parameters) for name in names))

    @property
    def loaded(self) -> list[str]:
        """Members whose adapters are on the GPU."""
        return [Path(path).name.removesuffix("_lora_adapter") for path in self.engine.shard.loaded]


def simulate(
    models: Path, story: Callable[[Simulation], Awaitable[T]], members: Sequence[str] = (), **settings: Any
) -> T:
    """Run a story on virtual time, with real adapters for the members."""
    make(models, members, Shape())

    async def run() -> T:
        async with Engine(_settings(**settings)) as engine:
            return await story(Simulation(engine, models))

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(run())


def waited(entry: Entry) -> float:
    """Seconds in the queue."""
    assert entry.started_at is not None
    return entry.started_at - entry.queued_at


def first_token_after(entry: Entry) -> float:
    """Seconds from its arrival."""
    assert entry.first_token_at is not None
    return entry.first_token_at - entry.queued_at


def text(entry: Entry) -> str:
    """What was answered."""
    assert entry.answer is not None, entry.error
    return "".join(token.text for token in entry.answer.tokens)


def _settings(*, faults: Sequence[dict[str, Any]] = (), **fields: Any) -> Settings:
    return Settings(adapter_source="local", faults=tuple(map(convert_fault, faults)), **fields).checked()


@asynccontextmanager
async def serving(**settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a simulated LoRAX that doesn't wait."""
    async with Engine(_settings(**{"profile": "instant", **settings})) as engine:
        transport = httpx.ASGITransport(Application(engine))
        async with httpx.AsyncClient(transport=transport, base_url="http://lorax", timeout=10) as client:
            yield client


async def post(path: str, body: object, **settings: Any) -> httpx.Response:
    """The answer of a simulated LoRAX that is asked this alone."""
    async with serving(**settings) as lorax:
        return await lorax.post(path, json=body)


def events(response: httpx.Response) -> list[Any]:
    """What came in a stream, decoded but for [DONE]."""
    lines = [line for line in response.text.split("\n\n") if line]
    assert all(line.startswith("data: ") for line in lines)
    return [line[6:] if line == "data: [DONE]" else json.loads(line[6:]) for line in lines]


def chat(**fields: Any) -> dict[str, Any]:
    """The body of a chat's request."""
    messages = [{"role": "system", "content": "You are CEO."}, {"role": "user", "content": "Why?"}]
    return {"model": "", "messages": messages, "max_tokens": 300, **fields}
