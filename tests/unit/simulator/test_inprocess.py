"""The simulated LoRAX without a socket, through the real driver, on virtual time."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from boardroom.adapters.synthetic import Shape, make
from boardroom.engine.errors import AdapterFailed, EngineTimeout
from boardroom.engine.lorax.driver import LoraxEngine
from boardroom.engine.protocol import Generation, GenerationRequest, StreamTimeouts
from boardroom.simulator.inprocess import InProcessTransport
from boardroom.simulator.router.engine import Engine
from boardroom.simulator.settings import Settings
from boardroom.simulator.virtual import VirtualTimeLoop

T = TypeVar("T")


def drive(story: Callable[[LoraxEngine], Awaitable[T]], **settings: Any) -> T:
    async def run() -> T:
        async with Engine(Settings(adapter_source="local", **settings).checked()) as engine:
            return await story(LoraxEngine("", InProcessTransport(engine)))

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(run())


def request(adapter: str | None = None, tokens: int = 8) -> GenerationRequest:
    return GenerationRequest(
        request_id="r", system="Be brief.", prompt="And now?", adapter_id=adapter, max_new_tokens=tokens
    )


def test_an_answer_comes_with_its_times_in_virtual_seconds(tmp_path: Path) -> None:
    make(tmp_path, ["CEO"], Shape())
    adapter = f"{tmp_path}/ceo_lora_adapter"

    async def story(engine: LoraxEngine) -> tuple[Generation, float]:
        answer = await engine.generate(request(adapter), 60)
        return answer, asyncio.get_running_loop().time()

    answer, seconds = drive(story)
    assert adapter in answer.text or answer.completion_tokens == 8
    assert answer.total_ms == pytest.approx(1000 * seconds, rel=0.01)


def test_a_stream_is_the_same_text_as_the_whole_answer() -> None:
    async def story(engine: LoraxEngine) -> tuple[str, Generation, Generation]:
        pieces = [piece async for piece in engine.stream(request(), StreamTimeouts(whole=60))]
        whole = await engine.generate(request(), 60)
        last = pieces.pop()
        assert isinstance(last, Generation)
        return "".join(str(piece) for piece in pieces), last, whole

    streamed, last, whole = drive(story)
    assert streamed == last.text == whole.text


def test_a_missing_adapter_is_loraxs_own_error() -> None:
    async def story(engine: LoraxEngine) -> None:
        await engine.generate(request("/nowhere/x"), 60)

    with pytest.raises(AdapterFailed, match="No valid adapter config file found"):
        drive(story)


def test_time_that_is_over_is_an_error_and_frees_the_request() -> None:
    async def story(engine: LoraxEngine) -> float:
        with pytest.raises(EngineTimeout):
            await engine.generate(request(tokens=2000), 0.05)
        await engine.generate(request(tokens=1), 60)
        return asyncio.get_running_loop().time()

    assert drive(story) < 0.2
