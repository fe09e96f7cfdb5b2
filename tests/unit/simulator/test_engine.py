"""The engine on virtual time: batching, limits and the loader; test_hazards.py has its hazards."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from boardroom.simulator.errors import LoraxError, OverloadedError
from boardroom.simulator.model_server.signature import signature
from boardroom.simulator.model_server.steps import Step
from boardroom.simulator.router.request import Parameters
from boardroom.simulator.router.validation import Prompt
from unit.simulator.simulation import MODEL, Simulation, simulate, text, waited

BOARD = ("ceo", "cfo", "coo", "cmo", "cto")


def test_members_asked_at_once_share_every_decode_step_once_all_are_in(tmp_path: Path) -> None:
    async def story(simulation: Simulation) -> Sequence[Step]:
        await simulation.ask_all(BOARD)
        since = simulation.engine.shard.steps.last_id
        await simulation.ask_all(BOARD, max_new_tokens=20)
        return simulation.engine.shard.steps.since(since)

    steps = simulate(tmp_path, story, BOARD)
    decodes = [{request for request, _ in step.requests} for step in steps if step.kind == "decode"]
    assert decodes == [set(BOARD)] * 19


def test_each_member_answers_with_its_own_weights(tmp_path: Path) -> None:
    async def story(simulation: Simulation) -> tuple[list[str], list[str]]:
        entries = await simulation.ask_all(("", *BOARD), max_new_tokens=40)
        loaded = simulation.engine.shard._loaded
        return [text(entry) for entry in entries], [loaded[entry.adapter_id].digest for entry in entries[1:]]

    texts, digests = simulate(tmp_path, story, BOARD, identity_salt="salt")
    expected = [signature("salt", MODEL, "", "")] + [
        signature("salt", MODEL, f"{tmp_path}/{name}_lora_adapter", digest)
        for name, digest in zip(BOARD, digests, strict=True)
    ]
    assert [signature_ in text_ for signature_, text_ in zip(expected, texts, strict=True)] == [True] * 6
    assert len(set(expected)) == 6


def test_a_question_of_five_members_takes_about_as_long_as_on_the_gpu(tmp_path: Path) -> None:
    async def story(simulation: Simulation) -> float:
        await simulation.ask_all(BOARD)
        started = simulation.engine.clock.now()
        await simulation.ask_all(BOARD, max_new_tokens=64)
        return simulation.engine.clock.now() - started

    assert 0.8 < simulate(tmp_path, story, BOARD) < 2.5


def test_the_cap_holds_and_the_surplus_waits_for_its_turn(tmp_path: Path) -> None:
    async def story(simulation: Simulation) -> tuple[int, list[LoraxError | None]]:
        sizes = []
        asked = asyncio.gather(*(simulation.ask(name) for name in BOARD))
        while not asked.done():
            sizes.append(len(simulation.loaded))
            await asyncio.sleep(0.001)
        return max(sizes), [entry.error for entry in await asked]

    assert simulate(tmp_path, story, BOARD, max_active_adapters=2) == (2, [None] * 5)


def test_health_waits_behind_a_forward_pass(tmp_path: Path) -> None:
    async def story(simulation: Simulation) -> float:
        asked = asyncio.create_task(simulation.ask("", prompt="word " * 2000, max_new_tokens=1))
        await asyncio.sleep(0.001)
        started = simulation.engine.clock.now()
        await simulation.engine.shard.health()
        waited_for = simulation.engine.clock.now() - started
        await asked
        return waited_for

    assert simulate(tmp_path, story) > 0.1


@pytest.mark.parametrize(
    ("fraction", "said"),
    [
        (0.0, "Memory reserved for adapters is 0. Please set a memory reservation for adapters."),
        (1e-7, "is larger than adapter memory reservation: 13312 / 8000 bytes"),
    ],
)
def test_an_adapter_that_does_not_fit_the_reservation_is_refused(tmp_path: Path, fraction: float, said: str) -> None:
    async def story(simulation: Simulation) -> str:
        return str((await simulation.ask("ceo")).error)

    assert said in simulate(tmp_path, story, BOARD, adapter_memory_fraction=fraction)


def test_an_adapter_of_another_architecture_is_refused_in_loraxs_words(tmp_path: Path) -> None:
    async def story(simulation: Simulation) -> str:
        return str((await simulation.ask("ceo")).error)

    refusal = simulate(tmp_path, story, BOARD, model_id="meta-llama/Llama-2-7b-hf")
    assert f"Adapter '{tmp_path}/ceo_lora_adapter' is not compatible with model 'meta-llama/Llama-2-7b-hf'" in refusal


def test_a_request_beyond_the_limit_is_refused_at_once_and_the_permit_comes_back(tmp_path: Path) -> None:
    async def story(simulation: Simulation) -> LoraxError | None:
        first = asyncio.create_task(simulation.ask(""))
        await asyncio.sleep(0)
        with pytest.raises(OverloadedError):
            await simulation.ask("")
        await first
        return (await simulation.ask("")).error

    assert simulate(tmp_path, story, max_concurrent_requests=1) is None


def test_requests_wait_for_blocks_and_all_are_answered(tmp_path: Path) -> None:
    async def story(simulation: Simulation) -> tuple[list[LoraxError | None], int]:
        answers = asyncio.gather(*(simulation.ask("", max_new_tokens=40) for _ in range(4)))
        entries = await answers
        steps = simulation.engine.shard.steps.since(0)
        return [entry.error for entry in entries], max(len(step.requests) for step in steps)

    limits: dict[str, Any] = {
        "max_input_length": 40,
        "max_total_tokens": 96,
        "max_batch_prefill_tokens": 60,
        "max_batch_total_tokens": 96,
    }
    assert simulate(tmp_path, story, **limits) == ([None] * 4, 2)


def test_a_small_newcomer_waits_for_twenty_decode_steps_of_a_big_batch(tmp_path: Path) -> None:
    async def story(simulation: Simulation) -> float:
        running = asyncio.gather(*(simulation.ask("", max_new_tokens=60) for _ in range(5)))
        await asyncio.sleep(0.1)
        newcomer = await simulation.ask("", max_new_tokens=1)
        await running
        return waited(newcomer)

    assert simulate(tmp_path, story) > 10 * 0.0112


def test_an_abandoned_request_leaves_the_batch_at_the_next_step(tmp_path: Path) -> None:
    async def story(simulation: Simulation) -> tuple[int, bool]:
        entry = simulation.engine.submit(Prompt("x"), Parameters(max_new_tokens=400), on_change=lambda: None)
        await asyncio.sleep(0.1)
        simulation.engine.release(entry)
        await asyncio.sleep(0.1)
        steps = simulation.engine.shard.steps.last_id
        await asyncio.sleep(10)
        return simulation.engine.shard.steps.last_id - steps, entry.emitted < 400

    assert simulate(tmp_path, story) == (0, True)


def test_gpu_seconds_are_shared_by_those_in_a_step(tmp_path: Path) -> None:
    async def story(simulation: Simulation) -> tuple[float, float]:
        entries = await simulation.ask_all(BOARD)
        return sum(entry.gpu_seconds for entry in entries), simulation.engine.shard.steps.gpu_seconds

    charged, total = simulate(tmp_path, story, BOARD)
    assert charged == pytest.approx(total)


def test_ten_thousand_simulated_seconds_take_moments(tmp_path: Path) -> None:
    async def story(simulation: Simulation) -> float:
        await asyncio.sleep(10_000)
        await simulation.ask("")
        return simulation.engine.clock.now()

    assert simulate(tmp_path, story) > 10_000
