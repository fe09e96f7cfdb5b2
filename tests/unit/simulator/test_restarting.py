"""A simulated LoRAX that ends and begins anew, on virtual time: by SIGTERM as LoRAX does, and killed."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any, TypeVar

import pytest

from boardroom.adapters.synthetic import Shape, make
from boardroom.engine.errors import EngineError
from boardroom.engine.lorax.driver import LoraxEngine
from boardroom.engine.protocol import Generation, GenerationRequest, StreamTimeouts
from boardroom.simulator.faults import Fault
from boardroom.simulator.restarting import AFTER_ABORT_SECONDS, DRAIN_SECONDS, RestartingLorax
from boardroom.simulator.settings import Settings
from boardroom.simulator.virtual import VirtualTimeLoop

T = TypeVar("T")
Story = Callable[[RestartingLorax, LoraxEngine], Awaitable[T]]
DOWN = 3.0


def told(story: Story[T], **settings: Any) -> T:
    async def run() -> T:
        async with RestartingLorax(Settings(adapter_source="local", **settings).checked()) as lorax:
            return await story(lorax, LoraxEngine("", lorax))

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(run())


def request(tokens: int = 60, adapter: str | None = None) -> GenerationRequest:
    return GenerationRequest(request_id="r", system="", prompt="And?", adapter_id=adapter, max_new_tokens=tokens)


async def outcome(asking: Awaitable[Generation]) -> str:
    try:
        return (await asking).finish_reason
    except EngineError as error:
        return type(error).__name__


async def streamed(engine: LoraxEngine, adapter: str | None = None) -> Generation:
    async with aclosing(engine.stream(request(adapter=adapter), StreamTimeouts(whole=60))) as pieces:
        *_, last = [piece async for piece in pieces]
    assert isinstance(last, Generation)
    return last


def now() -> float:
    return asyncio.get_running_loop().time()


def test_sigterm_closes_the_listener_first_and_who_is_in_flight_still_has_an_answer() -> None:
    async def story(lorax: RestartingLorax, engine: LoraxEngine) -> tuple[list[str], str, bool, str]:
        in_flight = [
            asyncio.create_task(outcome(asking)) for asking in (engine.generate(request(), 60), streamed(engine))
        ]
        await asyncio.sleep(0.1)
        ending = asyncio.create_task(lorax.terminate(DOWN))
        await asyncio.sleep(0.1)
        newcomer = await outcome(engine.generate(request(), 60))
        still_speaking = not any(task.done() for task in in_flight)
        finished = await asyncio.gather(*in_flight)
        await ending
        return finished, newcomer, still_speaking, await outcome(engine.generate(request(), 60))

    assert told(story) == (["length", "length"], "Unreachable", True, "length")


def test_a_kill_takes_along_what_is_in_flight() -> None:
    async def story(lorax: RestartingLorax, engine: LoraxEngine) -> tuple[list[str], float, str]:
        in_flight = [
            asyncio.create_task(outcome(asking)) for asking in (engine.generate(request(), 60), streamed(engine))
        ]
        await asyncio.sleep(0.1)
        began = now()
        ending = asyncio.create_task(lorax.kill(DOWN))
        finished = await asyncio.gather(*in_flight)
        lost_after = now() - began
        await ending
        return finished, lost_after, await outcome(engine.generate(request(), 60))

    assert told(story) == (["ConnectionLost", "ConnectionLost"], 0.0, "length")


@pytest.mark.parametrize("end", [RestartingLorax.kill, RestartingLorax.terminate])
def test_the_next_process_comes_when_it_is_said_and_has_nothing_loaded_and_nothing_counted(
    tmp_path: Path, end: Callable[[RestartingLorax, float], Awaitable[None]]
) -> None:
    make(tmp_path, ["ceo"], Shape())

    async def story(lorax: RestartingLorax, engine: LoraxEngine) -> tuple[list[int], list[int], float]:
        counts, loads = [], []
        for _ in range(2):
            await engine.generate(request(1, f"{tmp_path}/ceo_lora_adapter"), 60)
            loads.append(lorax.loads)
            counts.append((await engine.metrics(1)).requests)
            began = now()
            await end(lorax, DOWN)
        return counts, loads, round(now() - began, 6)

    assert told(story) == ([1, 1], [1, 2], DOWN)


@pytest.mark.parametrize(("end", "times"), [(RestartingLorax.kill, 1), (RestartingLorax.terminate, 2)])
def test_idle_connections_close_with_the_listener_and_the_others_at_the_end(
    end: Callable[[RestartingLorax, float], Awaitable[None]], times: int
) -> None:
    async def story(lorax: RestartingLorax, engine: LoraxEngine) -> tuple[float, int]:
        seen: list[float] = []
        lorax.on_hangup = lambda: seen.append(now())
        in_flight = asyncio.create_task(outcome(engine.generate(request(), 60)))
        await asyncio.sleep(0.1)
        await end(lorax, DOWN)
        await in_flight
        return seen[0], len(seen)

    assert told(story) == (0.1, times)


def test_who_never_ends_is_cut_off_when_loraxs_patience_is_over() -> None:
    async def story(lorax: RestartingLorax, engine: LoraxEngine) -> tuple[str, float]:
        asking = asyncio.create_task(outcome(engine.generate(request(), 600)))
        await asyncio.sleep(0.1)
        await lorax.terminate(DOWN)
        return await asking, round(now(), 6)

    assert told(story, faults=(Fault(kind="hang"),)) == ("ConnectionLost", DRAIN_SECONDS + DOWN + 0.1)


def test_a_router_that_aborts_is_started_again() -> None:
    async def story(lorax: RestartingLorax, engine: LoraxEngine) -> tuple[str, int, list[str]]:
        lost = await outcome(streamed(engine, "/models/a\nb"))
        soon = await outcome(engine.generate(request(), 60))
        await asyncio.sleep(AFTER_ABORT_SECONDS + 1)
        return lost, len(lorax.aborts), [soon, await outcome(engine.generate(request(), 60))]

    assert told(story) == ("ConnectionLost", 1, ["Unreachable", "length"])


def test_ending_what_has_ended_changes_nothing() -> None:
    async def story(lorax: RestartingLorax, engine: LoraxEngine) -> str:
        await asyncio.gather(lorax.terminate(DOWN), lorax.kill(DOWN), lorax.terminate(DOWN))
        return await outcome(engine.generate(request(), 60))

    assert told(story) == "length"
