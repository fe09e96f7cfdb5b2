"""Attribution under faults: whether each answer was given by the weights that it names.

Runs on virtual time, from a seed. Members come and go, adapters are replaced under new paths, adapters are slow or fail
to load, batches fail, LoRAX is overloaded, drops connections, is killed and ends gracefully with answers in flight,
requests are lost on the way, and clients leave. The stale adapter race (docs/lorax.md#stale-adapter-race) is lost as
often as `probability` says. On one board adapter memory is short, so LoRAX removes adapters in the middle of answers.
Each answer is compared, from its first word to its last, with what only the weights that it names can say.
"""

import asyncio
import logging
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from random import Random, seed
from typing import Any

from bench.reference import Reference
from bench.tally import Listening, Tally
from bench.trouble import FAULTS, Trouble
from bench.virtual_board import Members, Volume, coordinated, settings
from bench.wire import Delays, Wire
from boardroom.api.ask import AskRequest, CoordinationMode, Parameters
from boardroom.coordinator.coordinator import Coordinator
from boardroom.coordinator.errors import ApiError
from boardroom.engine.errors import EngineError
from boardroom.engine.lorax.driver import LoraxEngine
from boardroom.engine.protocol import GenerationRequest
from boardroom.simulator.restarting import RestartingLorax
from boardroom.simulator.router.batcher import FAILED_PREFILL
from boardroom.simulator.settings import STALE_READY_PROBABILITY
from boardroom.simulator.virtual import VirtualTimeLoop

ANSWERS = 80_000
IN_LITTLE_MEMORY = 20_000
WITHOUT_GUARD = 20_000
"""Fewer are enough: their share of wrong answers is large."""
LITTLE_MEMORY = 4
"""Adapters that fit at once; the board has up to twice as many."""
ALWAYS = 1.0
TOKENS = (12, 24)
MANY_TOKENS = (80, 160)
"""Seconds of speech, as real answers take: they outlive LoRAX's listener."""
ASKERS = 6
THINKING = 0.3
TIMEOUT = 30.0
QUESTION = "What follows from that for us?"
_LEAVES, _STREAMS, _TALKS, _ALL = 0.03, 0.3, 0.1, 0.3
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

NEVER = (
    "base_model",
    "mixed",
    "other_member",
    "other_version",
    "unreadable",
    "unnamed_absences",
    "torn_streams",
    "aborts",
)

Ask = Callable[[Random], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Story:
    """One run."""

    answers: int
    probability: float = ALWAYS
    guarded: bool = True
    memory_for: int | None = None
    """So many adapters fit into LoRAX's memory at once; None is all of them."""
    seed: int = 1


def measure() -> dict[str, Any]:
    """With the guard and without, at the worst and at the rate that was seen on the real router."""
    stories = [
        Story(answers=ANSWERS),
        Story(answers=IN_LITTLE_MEMORY, memory_for=LITTLE_MEMORY),
        Story(answers=WITHOUT_GUARD, guarded=False),
        Story(answers=WITHOUT_GUARD, guarded=False, memory_for=LITTLE_MEMORY),
        Story(answers=WITHOUT_GUARD, guarded=False, probability=STALE_READY_PROBABILITY),
    ]
    return {"rows": [tell(story) for story in stories]}


def tell(story: Story) -> dict[str, Any]:
    """Run it; what was counted."""
    seed(story.seed)  # the coordinator's own jitter
    with _quiet(), _folder(story) as folder, asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(_told(story, Volume(folder)))


@contextmanager
def _folder(story: Story) -> Iterator[Path]:
    """The same folder for each run, if it is free: signatures, and so words and times, depend on the paths."""
    folder = Path(tempfile.gettempdir()) / f"attribution-{story.seed}"
    try:
        folder.mkdir()
    except FileExistsError:
        with tempfile.TemporaryDirectory() as other:
            yield Path(other)
        return
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


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
    random = Random(story.seed)
    lorax_settings = settings(stale_ready_probability=story.probability, seed=story.seed, memory_for=story.memory_for)
    reference = Reference(lorax_settings, volume.digest)
    tally = Tally(volume, reference)
    members = Members(volume, tokens=TOKENS[1])
    async with RestartingLorax(replace(lorax_settings, faults=FAULTS)) as lorax:
        trouble = Trouble(members, volume, lorax, Random(story.seed + 1))
        trouble.begin()
        wire = Wire(lorax, Delays(), random, reference)
        async with _guarded(members, volume, wire, tally) if story.guarded else _plain(members, wire, tally) as ask:
            background = asyncio.create_task(trouble.run())
            askers = [_keep_asking(ask, Random(story.seed + 2 + n), tally, story.answers) for n in range(ASKERS)]
            await asyncio.gather(*askers)
            background.cancel()
        counted = {f.name: getattr(tally, f.name) for f in fields(tally) if f.repr}
        return {
            "guarded": story.guarded,
            "stale_ready_probability": story.probability,
            "memory_for": story.memory_for,
            "texts": tally.texts,
            **counted,
            **{name: getattr(trouble, name) for name in ("added", "removed", "replaced", "killed", "terminated")},
            "aborts": sum(reason != FAILED_PREFILL for reason in lorax.aborts),
            "failed_prefills": lorax.aborts.count(FAILED_PREFILL),  # the story breaks batches, and that ends the router
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
            roles = list(members.adapters)
            some = len(roles) if random.random() < _ALL else random.randint(1, 4)
            names = [role.lower() for role in random.sample(roles, some)]
            [mode] = random.choices(list(_MODES), list(_MODES.values()))
            votes = mode is CoordinationMode.CONSENSUS
            tokens = _VOTE_TOKENS if votes else MANY_TOKENS if random.random() < _TALKS else TOKENS
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
    except ApiError as problem:
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
