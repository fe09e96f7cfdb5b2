"""Many adapters, few requests: what a LoRAX alone makes of it, and what it makes of it behind the coordinator.

On virtual time: requests come at random (Poisson), each for one of the adapters at random. LoRAX evicts an idle adapter
for each one that it has to load, however much room there is (docs/lorax.md#idle-eviction). So LoRAX alone loads for
almost each request.
"""

import asyncio
import statistics
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

from bench.virtual_board import Members, Volume, coordinated, settings
from bench.wire import Delays, Wire
from boardroom.api.ask import AnswerStatus, AskRequest
from boardroom.coordinator.errors import ApiError
from boardroom.engine.errors import EngineError
from boardroom.engine.lorax.driver import LoraxEngine
from boardroom.engine.protocol import GenerationRequest
from boardroom.simulator.restarting import RestartingLorax
from boardroom.simulator.virtual import VirtualTimeLoop

REQUESTS = 2000
QUICK_REQUESTS = 200
TOKENS = 64
QUESTION = "And what follows from that for us?"
STALE_READY = 1.0
"""Every request that meets its adapter on the way out is answered by the base model: the worst that LoRAX can do."""
TIMEOUT = 60.0


@dataclass(frozen=True, kw_only=True)
class Case:
    """So many adapters, asked so often; LoRAX has `places` for them (--max-active-adapters)."""

    adapters: int
    per_second: float
    requests: int = REQUESTS
    places: int = 100


CASES = (
    Case(adapters=20, per_second=2),
    Case(adapters=20, per_second=20),
    Case(adapters=50, per_second=2),
    Case(adapters=50, per_second=20),
    Case(adapters=50, per_second=20, places=20),
)
"""In the last one the coordinator does not accept members for whom there is no place: their questions fail."""

Ask = Callable[[str], Awaitable[str | None]]
"""Role to the text, or None where there was none."""


@dataclass
class Seen:
    """What came of the requests."""

    seconds: list[float] = field(default_factory=list)
    wrong: int = 0
    failed: int = 0
    loads: int = 0


def measure(*, quick: bool = False) -> dict[str, Any]:
    """Every case, alone and through the coordinator."""
    cases = [replace(case, requests=QUICK_REQUESTS) for case in CASES] if quick else CASES
    return {
        "tokens": TOKENS,
        "stale_ready_probability": STALE_READY,
        "rows": [compared(case) for case in cases],
    }


def compared(case: Case) -> dict[str, Any]:
    """The same requests twice."""
    row: dict[str, Any] = asdict(case)
    with tempfile.TemporaryDirectory() as folder:
        volume = Volume(Path(folder))
        names = {f"R{index}": f"r{index}" for index in range(case.adapters)}
        for name in names.values():
            volume.make(name)
        for key, story in (("alone", _alone), ("through_us", _through_us)):
            with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
                seen = runner.run(story(case, volume, names))
            row |= {
                f"loads_{key}": seen.loads,
                f"p50_{key}": round(statistics.median(seen.seconds), 3),
                f"p99_{key}": round(statistics.quantiles(seen.seconds, n=100)[98], 3),
                f"wrong_{key}": seen.wrong,
                f"failed_{key}": seen.failed,
            }
    return row


async def _alone(case: Case, volume: Volume, names: Mapping[str, str]) -> Seen:
    async with _lorax(case) as lorax:
        driver = LoraxEngine("", Wire(lorax, Delays(), Random(1)))

        async def ask(role: str) -> str | None:
            path = str(volume.root / names[role])
            request = GenerationRequest(
                request_id="churn", system="", prompt=QUESTION, adapter_id=path, max_new_tokens=TOKENS
            )
            try:
                return (await driver.generate(request, TIMEOUT)).text
            except EngineError:
                return None

        return await _asked(ask, case, volume, lorax, names)


async def _through_us(case: Case, volume: Volume, names: Mapping[str, str]) -> Seen:
    members = Members(volume, tokens=TOKENS, places=case.places)
    members.set(names)
    async with (
        _lorax(case) as lorax,
        coordinated(members, volume, Wire(lorax, Delays(), Random(1))) as coordinator,
    ):
        loop = asyncio.get_running_loop()

        async def ask(role: str) -> str | None:
            request = AskRequest(user_input=QUESTION, agents=(role,), timeout=TIMEOUT)
            try:
                [answer] = (await coordinator.ask(request, "churn", loop.time())).answers
            except ApiError:
                return None
            return answer.text if answer.status is AnswerStatus.ANSWERED else None

        return await _asked(ask, case, volume, lorax, names)


def _lorax(case: Case) -> RestartingLorax:
    return RestartingLorax(settings(stale_ready_probability=STALE_READY, max_active_adapters=case.places))


async def _asked(ask: Ask, case: Case, volume: Volume, lorax: RestartingLorax, names: Mapping[str, str]) -> Seen:
    """The same requests at the same moments, whoever is asked."""
    random, seen = Random(2), Seen()
    loop = asyncio.get_running_loop()

    async def one(role: str) -> None:
        began = loop.time()
        text = await ask(role)
        seen.seconds.append(loop.time() - began)
        if text is None:
            seen.failed += 1
        elif volume.signer(text) != str(volume.root / names[role]):
            seen.wrong += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(case.requests):
            await asyncio.sleep(random.expovariate(case.per_second))
            group.create_task(one(random.choice(list(names))))
    seen.loads = lorax.loads
    return seen
