"""Short of memory, LoRAX removes an adapter in the middle of an answer (docs/lorax.md#mid-answer-eviction)."""

import asyncio
from pathlib import Path
from random import Random

import pytest

from boardroom.adapters.synthetic import Shape, make
from boardroom.simulator.entry import Answer, Entry, Sampling
from boardroom.simulator.model_server.sources import AdapterSources
from boardroom.simulator.router.race import Race
from boardroom.simulator.settings import Settings
from boardroom.simulator.tokenizer.simple import SimpleTokenizer
from unit.simulator.simulation import Simulation, simulate, text

BOARD = ("ceo", "cfo", "coo", "cmo", "cto")
QUESTIONS, SECONDS, TOKENS = 300, 20.0, 40


def words(said: str, finish_reason: str = "length") -> Answer:
    return Answer(tuple(SimpleTokenizer().encode(said)), finish_reason)  # type: ignore[arg-type]


def said(answer: Answer) -> tuple[str, str]:
    return "".join(token.text for token in answer.tokens), answer.finish_reason


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (0.0, ("w x y z", "eos_token")),
        (0.5, ("a b y z", "eos_token")),
        (0.99, ("a b c z", "eos_token")),
    ],
)
def test_from_some_word_on_the_base_model_goes_on(share: float, expected: tuple[str, str]) -> None:
    assert said(words("a b c d").switched_to(words("w x y z", "eos_token"), share)) == expected


def test_whoever_ends_sooner_ends_the_answer() -> None:
    assert said(words("a b c d").switched_to(words("w x", "eos_token"), 0.9)) == ("a x", "eos_token")


@pytest.mark.parametrize(
    ("probability", "memory_is_short", "lost"), [(0.0, True, None), (1.0, False, 0.0), (1.0, True, Random(1).random())]
)
def test_a_race_is_lost_as_often_as_is_said_and_from_the_first_word_on_but_where_memory_is_short(
    probability: float, memory_is_short: bool, lost: float | None
) -> None:
    random = Random(1)
    entry = asked()
    Race(random, probability).enter(entry, memory_is_short=memory_is_short)
    drawn = Random(1)
    drawn.random()
    assert entry.loses_adapter_at == (drawn.random() if lost else lost)


def asked() -> Entry:
    return Entry(
        request_id="r",
        adapter_id="ceo",
        adapter_source="local",
        api_token=None,
        prompt="",
        question="",
        prompt_tokens=1,
        sampling=Sampling(max_new_tokens=1),
        queued_at=0.0,
        on_change=lambda: None,
    )


def answers(models: Path, memory_for: int) -> list[tuple[str, str]]:
    """Who was asked at random moments, and what came."""
    make(models, BOARD, Shape())
    size = AdapterSources(models).download(f"{models}/ceo_lora_adapter", "local", None)
    share = memory_for * 1.01 * size / (Settings().cost.gpu_memory_gb * 1e9)

    async def story(simulation: Simulation) -> list[tuple[str, str]]:
        random = Random(1)

        async def one(name: str) -> tuple[str, str]:
            await asyncio.sleep(random.uniform(0, SECONDS))
            return name, text(await simulation.ask(name, max_new_tokens=TOKENS))

        return await asyncio.gather(*(one(random.choice(BOARD)) for _ in range(QUESTIONS)))

    return simulate(models, story, BOARD, stale_ready_probability=1.0, adapter_memory_fraction=share)


def seam(text: str, own: str, base: str) -> int | None:
    """After how many tokens of the own text the base model's go on, if that is what the text is."""
    first, last = words(own).tokens, words(base).tokens
    return next(
        (n for n in range(len(last)) if "".join(t.text for t in first[:n] + last[n:]) == text),
        None,
    )


def test_with_little_memory_some_answers_begin_as_the_members_own_and_end_as_the_base_models(tmp_path: Path) -> None:
    async def base_model(simulation: Simulation) -> str:
        return text(await simulation.ask("", max_new_tokens=TOKENS))

    plenty = answers(tmp_path, memory_for=100)
    own, base = dict(plenty), simulate(tmp_path, base_model)
    seams = [seam(said, own[name], base) for name, said in answers(tmp_path, memory_for=4) if said != own[name]]
    assert [name for name, said in plenty if said != own[name]] == []
    assert None not in seams
    assert max(n or 0 for n in seams) > TOKENS / 4
    assert len(seams) < QUESTIONS / 10
