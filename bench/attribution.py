"""Whose voice did it answer in? As many answers as wanted, while everything around them moves.

On virtual time, from a seed: members come and go, adapters are replaced under new paths, adapters are slow or fail to
load, batches break, LoRAX is overloaded, drops connections and restarts, requests are lost on the way, clients leave;
and the race in which LoRAX answers in the base model's voice is lost as often as `probability` says. Every answer
carries the mark of the weights that spoke, which only the bench can read, and is held against what it says of itself.
"""

import asyncio
import logging
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from random import Random, seed
from typing import Any

from bench.tally import Listening, Tally
from bench.trouble import FAULTS, Trouble
from bench.virtual_board import Members, Volume, coordinated, settings
from bench.wire import Delays, Lorax, Wire
from boardroom.api.ask import AskRequest, CoordinationMode, Parameters
from boardroom.coordinator.coordinator import Coordinator
from boardroom.coordinator.problems import AskProblem
from boardroom.engine.errors import EngineError
from boardroom.engine.lorax import LoraxEngine
from boardroom.engine.protocol import GenerationRequest
from boardroom.simulator.settings import STALE_READY_PROBABILITY
from boardroom.simulator.virtual import VirtualTimeLoop

ANSWERS = 100_000
WITHOUT_GUARD = 20_000
"""Their share of wrong voices is large."""
ALWAYS = 1.0
TOKENS = (12, 24)
ASKERS = 6
THINKING = 0.3
TIMEOUT = 30.0
QUESTION = "What follows from that for us?"
_LEAVES, _STREAMS = 0.03, 0.3
_MODES = {
    CoordinationMode.PARALLEL: 68,
    CoordinationMode.SEQUENTIAL: 12,
    CoordinationMode.HIERARCHICAL: 8,
    CoordinationMode.COLLABORATIVE: 9,
    CoordinationMode.CONSENSUS: 3,
}
"""How many questions of a hundred are asked in each."""
_VOTE_TOKENS = (70, 180)
"""A vote is JSON: so many leave room for it, and often cut it off."""

NEVER = ("other_member", "other_version", "unreadable", "unnamed_absences", "torn_streams", "aborts")
"""Nor the base model's voice, but for that LoRAX leaves a rest (docs/coordinator.md): its share is printed."""

Ask = Callable[[Random], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Story:
    """One run."""

    answers: int
    probability: float = ALWAYS
    guarded: bool = True
    seed: int = 1


def measure() -> dict[str, Any]:
    """With the guard and without, at the worst and at the rate that was seen on the real router."""
    stories = [
        Story(answers=ANSWERS),
        Story(answers=WITHOUT_GUARD, guarded=False),
        Story(answers=WITHOUT_GUARD, guarded=False, probability=STALE_READY_PROBABILITY),
    ]
    return {"rows": [tell(story) for story in stories]}


def tell(story: Story) -> dict[str, Any]:
    """Run it; what was counted."""
    seed(story.seed)  # the coordinator's own jitter
    with _quiet(), tempfile.TemporaryDirectory() as folder, asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(_told(story, Volume(Path(folder))))


@contextmanager
def _quiet() -> Iterator[None]:
    """It goes wrong on purpose, and nobody is to read of it."""
    logger = logging.getLogger("boardroom")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def broken_promises(result: Mapping[str, Any]) -> list[str]:
    """What must never happen through the coordinator and did, in words."""
    return [
        f"{row[name]} of {row['texts']} answers through the coordinator: {name.replace('_', ' ')}"
        for row in result["rows"]
        for name in NEVER
        if row["guarded"] and row[name]
    ]


async def _told(story: Story, volume: Volume) -> dict[str, Any]:
    random, tally = Random(story.seed), Tally(volume)
    members = Members(volume, tokens=TOKENS[1])
    lorax_settings = settings(stale_ready_probability=story.probability, seed=story.seed)
    async with Lorax(replace(lorax_settings, faults=FAULTS)) as lorax:
        trouble = Trouble(members, volume, lorax, Random(story.seed + 1))
        trouble.begin()
        wire = Wire(lorax, Delays(), random)
        async with _guarded(members, volume, wire, tally) if story.guarded else _plain(members, wire, tally) as ask:
            background = asyncio.create_task(trouble.run())
            askers = [_keep_asking(ask, Random(story.seed + 2 + n), tally, story.answers) for n in range(ASKERS)]
            await asyncio.gather(*askers)
            background.cancel()
        counted = {f.name: getattr(tally, f.name) for f in fields(tally) if f.name != "volume"}
        return {
            "guarded": story.guarded,
            "stale_ready_probability": story.probability,
            "texts": tally.texts,
            **counted,
            **{name: getattr(trouble, name) for name in ("added", "removed", "replaced", "restarts")},
            "aborts": len(lorax.aborts),
            "loads": lorax.loads,
            "virtual_seconds": round(asyncio.get_running_loop().time()),
        }


async def _keep_asking(ask: Ask, random: Random, tally: Tally, answers: int) -> None:
    while tally.texts < answers:
        await asyncio.sleep(random.expovariate(1 / THINKING))
        if random.random() >= _LEAVES:
            await ask(random)
            continue
        tally.left += 1
        with suppress(TimeoutError):
            async with asyncio.timeout(random.uniform(0, 1)):
                await ask(random)


@asynccontextmanager
async def _guarded(members: Members, volume: Volume, wire: Wire, tally: Tally) -> AsyncIterator[Ask]:
    """Through the coordinator, in its modes, whole and streamed."""
    async with coordinated(members, volume, wire) as coordinator:

        async def ask(random: Random) -> None:
            names = [role.lower() for role in random.sample(list(members.adapters), random.randint(1, 4))]
            [mode] = random.choices(list(_MODES), list(_MODES.values()))
            tokens = _VOTE_TOKENS if mode is CoordinationMode.CONSENSUS else TOKENS
            request = AskRequest(
                user_input=QUESTION,
                agents=tuple(names),
                coordination_mode=mode,
                parameters=Parameters(max_new_tokens=random.randint(*tokens)),
                timeout=TIMEOUT,
            )
            listener = Listening(tally) if random.random() < _STREAMS else None
            await _judged(coordinator, request, listener, tally)

        yield ask


async def _judged(coordinator: Coordinator, request: AskRequest, listener: Listening | None, tally: Tally) -> None:
    try:
        now = asyncio.get_running_loop().time()
        response = await coordinator.ask(request, "attribution", now, listener=listener)
    except AskProblem as problem:
        tally.refused += 1
        if problem.members is not None:
            tally.unnamed_absences += len(set(request.agents or ()) - {m.agent for m in problem.members})
    else:
        tally.response(response, set(request.agents or ()))


@asynccontextmanager
async def _plain(members: Members, wire: Wire, tally: Tally) -> AsyncIterator[Ask]:
    """The same members asked at once by a plain client of LoRAX."""
    driver = LoraxEngine("", wire)

    async def one(role: str, path: str, tokens: int) -> None:
        request = GenerationRequest(
            request_id="attribution", system="", prompt=QUESTION, adapter_id=path, max_new_tokens=tokens
        )
        try:
            tally.text((await driver.generate(request, TIMEOUT)).text, role, path)
        except EngineError:
            tally.named_absences += 1

    async def ask(random: Random) -> None:
        chosen = random.sample(list(members.adapters.items()), random.randint(1, 4))
        tokens = random.randint(*TOKENS)
        tally.questions += 1
        await asyncio.gather(*(one(role, path, tokens) for role, path in chosen))

    yield ask
