"""Many adapters, few requests: what a LoRAX alone makes of it, and what it makes of it behind the coordinator.

On virtual time: requests come at random (Poisson), each for one of the adapters at random. LoRAX evicts an idle adapter
for each one that it has to load, whatever the room (LORAX.md, trap 1), so that alone it loads for almost every request.
"""

import asyncio
import statistics
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from bench.virtual_board import Members, Volume, coordinated, settings
from bench.wire import Delays, Lorax, Wire
from boardroom.api.ask import AnswerStatus, AskRequest
from boardroom.coordinator.problems import AskProblem
from boardroom.engine.errors import EngineError
from boardroom.engine.lorax import LoraxEngine
from boardroom.engine.protocol import GenerationRequest
from boardroom.simulator.virtual import VirtualTimeLoop

ADAPTERS = (20, 50)
RATES = (2.0, 20.0)
REQUESTS = 2000
QUICK_REQUESTS = 200
TOKENS = 64
QUESTION = "And what follows from that for us?"
STALE_READY = 1.0
"""Every request that meets its adapter on the way out is answered by the base model: the worst that LoRAX can do."""
TIMEOUT = 60.0

Ask = Callable[[str, str], Awaitable[str | None]]
"""Role and path of its adapter to the text, or None where there was none."""


@dataclass
class Seen:
    """What came of the requests."""

    seconds: list[float] = field(default_factory=list)
    wrong: int = 0
    failed: int = 0
    loads: int = 0


def measure(*, quick: bool = False) -> dict[str, Any]:
    """Every number of adapters at every rate, alone and through the coordinator."""
    requests = QUICK_REQUESTS if quick else REQUESTS
    with tempfile.TemporaryDirectory() as folder:
        volume = Volume(Path(folder))
        for index in range(max(ADAPTERS)):
            volume.make(f"r{index}")
        rows = [_row(volume, adapters, rate, requests) for adapters in ADAPTERS for rate in RATES]
    return {"tokens": TOKENS, "stale_ready_probability": STALE_READY, "rows": rows}


def _row(volume: Volume, adapters: int, rate: float, requests: int) -> dict[str, Any]:
    row: dict[str, Any] = {"adapters": adapters, "per_second": rate, "requests": requests}
    for key, story in (("alone", _alone), ("through_us", _through_us)):
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            seen = runner.run(story(volume, adapters, rate, requests))
        row |= {
            f"loads_{key}": seen.loads,
            f"p50_{key}": round(statistics.median(seen.seconds), 3),
            f"p99_{key}": round(statistics.quantiles(seen.seconds, n=100)[98], 3),
            f"wrong_{key}": seen.wrong,
            f"failed_{key}": seen.failed,
        }
    return row


async def _alone(volume: Volume, adapters: int, rate: float, requests: int) -> Seen:
    random = Random(1)
    async with Lorax(settings(stale_ready_probability=STALE_READY)) as lorax:
        driver = LoraxEngine("", Wire(lorax, Delays(), random))

        async def ask(_: str, path: str) -> str | None:
            request = GenerationRequest(
                request_id="churn", system="", prompt=QUESTION, adapter_id=path, max_new_tokens=TOKENS
            )
            try:
                return (await driver.generate(request, TIMEOUT)).text
            except EngineError:
                return None

        return await _asked(ask, volume, lorax, _roles(volume, adapters), rate, requests)


async def _through_us(volume: Volume, adapters: int, rate: float, requests: int) -> Seen:
    random = Random(1)
    members = Members(volume, tokens=TOKENS)
    members.seat({f"R{index}": f"r{index}" for index in range(adapters)})
    async with (
        Lorax(settings(stale_ready_probability=STALE_READY)) as lorax,
        coordinated(members, volume, Wire(lorax, Delays(), random)) as coordinator,
    ):
        loop = asyncio.get_running_loop()

        async def ask(role: str, _: str) -> str | None:
            try:
                response = await coordinator.ask(
                    AskRequest(user_input=QUESTION, agents=(role,), timeout=TIMEOUT), "churn", loop.time()
                )
            except AskProblem:
                return None
            answer = response.answers[0]
            return answer.text if answer.status is AnswerStatus.ANSWERED else None

        return await _asked(ask, volume, lorax, members.adapters, rate, requests)


def _roles(volume: Volume, adapters: int) -> dict[str, str]:
    return {f"R{index}": str(volume.root / f"r{index}") for index in range(adapters)}


async def _asked(ask: Ask, volume: Volume, lorax: Lorax, paths: dict[str, str], rate: float, requests: int) -> Seen:
    """The same requests at the same moments, whoever is asked."""
    random, seen = Random(2), Seen()
    loop = asyncio.get_running_loop()

    async def one(role: str, path: str) -> None:
        began = loop.time()
        text = await ask(role, path)
        seen.seconds.append(loop.time() - began)
        if text is None:
            seen.failed += 1
        elif volume.speaker(text) != path:
            seen.wrong += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(requests):
            await asyncio.sleep(random.expovariate(rate))
            role = random.choice(list(paths))
            group.create_task(one(role, paths[role]))
    seen.loads = lorax.loads
    return seen
