"""The coordinator keeps its users out of LoRAX's hazards (docs/lorax.md); each test begins with a hazard's name.

The simulator has the same hazards (tests/unit/simulator/test_hazards.py), here with its bugs switched on.
"""

import asyncio
import contextlib
from typing import Any

import orjson
import pytest

from boardroom.coordinator.backends.adapter_state import AdapterPhase
from boardroom.engine.errors import EngineError
from boardroom.engine.lorax.driver import LoraxEngine
from boardroom.engine.protocol import GenerationRequest
from boardroom.simulator.faults import Fault
from boardroom.simulator.model_server.signature import signature
from boardroom.simulator.router.engine import Engine
from component.coordinator.standing_board import (
    MODEL,
    NAMES,
    ROLES,
    SALT,
    UNLOADABLE,
    Board,
    Standing,
    agent,
    by_role,
    simulated_lorax,
    standing,
    try_again,
    until,
)

BASE_SIGNATURE = f"signature={signature(SALT, MODEL, '', '')} "
CLO = "/clo_lora_adapter"


def paths(board: Board, *roles: str) -> set[str]:
    return {str(board.adapter(role)) for role in roles}


def loaded(engine: Engine) -> set[str]:
    return {adapter for adapter in engine.shard.loaded if adapter}


def asked(engine: Engine) -> list[dict[str, Any]]:
    """Every request that has ended in LoRAX, probes too."""
    requests: list[dict[str, Any]] = engine.usage.since(0)["requests"]
    return requests


async def test_probe_is_a_load_after_a_probe_of_everybody_everybody_is_loaded(board: Board) -> None:
    """Probed one by one each would evict the one before."""
    async with simulated_lorax() as (url, engine), standing(board, url) as stand:
        await stand.wait_ready(*ROLES)
        await stand.answer()
        assert loaded(engine) == paths(board, *ROLES)


async def test_idle_eviction_members_asked_in_turn_evict_nobody(board: Board) -> None:
    async with simulated_lorax() as (url, engine), standing(board, url) as stand:
        await stand.wait_ready(*ROLES)
        await stand.answer()
        before = engine.shard.loaded
        for _ in range(2):
            await stand.answer(coordination_mode="sequential", parameters={"max_new_tokens": 4})
        assert engine.shard.loaded == before


async def test_idle_eviction_an_agent_that_does_not_exist_never_reaches_lorax(board: Board) -> None:
    async with simulated_lorax() as (url, engine), standing(board, url) as stand:
        await stand.wait_ready(*ROLES)
        before = len([r for r in asked(engine) if not r["request_id"].startswith("probe-")])
        response = await stand.ask(agents=["ceo", "nobody"])
        after = len([r for r in asked(engine) if not r["request_id"].startswith("probe-")])
    assert (response.status_code, before, after) == (404, 0, 0)


async def test_serial_loader_a_slow_download_ends_no_question_late_and_none_unnamed(board: Board) -> None:
    async with simulated_lorax() as (url, engine), standing(board, url) as stand:
        await stand.wait_ready(*ROLES)
        engine.faults.add(Fault(kind="slow-adapter", adapter=f"*{CLO}", seconds=40, times=1))  # 2 s of ours
        board.make_adapters("CLO")
        board.write(*(agent(role) for role in (*ROLES, "CLO")))
        await until(lambda: any(a.endswith(CLO) for a in engine.state()["pending"]))
        response = await stand.ask(timeout=0.3, agents=["ceo"])
        await stand.wait_ready(*ROLES, "CLO")
        answer = await stand.answer()
    assert [m["reason"] for m in response.json()["error"]["members"]] == [
        "timeout: no answer within 0.3 s; LoRAX was still loading adapters, and nothing is sent meanwhile"
    ]
    assert answer["agents_involved"] == sorted([*NAMES, "clo"])


async def evict(engine: Engine, stand: Standing | None, clo: str, lorax: LoraxEngine, rounds: int) -> None:
    """Again and again somebody asks for an adapter that can't be loaded: each time LoRAX evicts good ones."""
    for number in range(rounds):
        if stand is None:
            with contextlib.suppress(EngineError):
                await lorax.generate(request_for(clo, f"cold-{number}"), 20)
        else:
            await try_again(stand.backend, clo)
        await asyncio.sleep(0.02)


def request_for(path: str, request_id: str) -> GenerationRequest:
    return GenerationRequest(request_id=request_id, system="", prompt="x", adapter_id=path, max_new_tokens=24)


async def test_stale_adapter_race_nobody_is_answered_by_the_base_model_through_us(board: Board) -> None:
    """Every request that meets its adapter on the way out is answered by the base model here: through us none is."""
    board.write(*(agent(role, tokens=24) for role in (*ROLES, "CLO")))
    board.make_adapters("CLO")
    texts: list[str] = []
    slow = Fault(kind="slow-adapter", adapter=f"*{CLO}", seconds=10)
    async with (
        simulated_lorax(stale_ready_probability=1.0, faults=(slow, UNLOADABLE)) as (url, engine),
        standing(board, url) as stand,
    ):
        clo = str(board.adapter("CLO"))
        await until(lambda: stand.registry[clo].phase is AdapterPhase.FAILED)
        evicting = asyncio.create_task(evict(engine, stand, clo, LoraxEngine(url), 8))

        async def keep_asking(role: str) -> None:
            while not evicting.done():
                texts.append((await stand.answer(agents=[role]))["answers"][0]["text"])
                await asyncio.sleep(0.01)

        await asyncio.gather(evicting, *(keep_asking(role) for role in ROLES))
    assert [text for text in texts if BASE_SIGNATURE in text] == []
    assert len(texts) >= 20


async def test_stale_adapter_race_plain_concurrent_clients_are_answered_by_the_base_model(board: Board) -> None:
    """The counter-test: the same load on the same LoRAX without the coordinator between."""
    texts: list[str] = []
    slow = Fault(kind="slow-adapter", adapter=f"*{CLO}", seconds=10)
    async with simulated_lorax(stale_ready_probability=1.0, faults=(slow,)) as (url, engine):
        lorax = LoraxEngine(url)
        evicting = asyncio.create_task(evict(engine, None, str(board.adapter("CLO")), lorax, 8))

        async def keep_asking(path: str) -> None:
            while not evicting.done():
                texts.append((await lorax.generate(request_for(path, "q"), 20)).text)
                await asyncio.sleep(0.01)

        await asyncio.gather(evicting, *(keep_asking(path) for path in paths(board, *ROLES)))
        await lorax.close()
    assert [text for text in texts if BASE_SIGNATURE in text] != []


async def test_path_cache_files_changed_under_a_loaded_path_are_said_and_not_attributed(board: Board) -> None:
    async with simulated_lorax() as (url, _), standing(board, url) as stand:
        await stand.wait_ready(*ROLES)
        board.replace_adapter("CFO")
        await until(lambda: stand.registry[str(board.adapter("CFO"))].replaced)
        answer = await stand.answer()
    assert by_role(answer)["CFO"]["adapter"]["digest"] is None
    assert [w for w in answer["warnings"] if w.startswith("CFO (cfo): the files at")] != []


async def test_disconnect_abort_a_client_that_leaves_during_a_failing_download_aborts_nothing(board: Board) -> None:
    aborted: list[str] = []
    slow = Fault(kind="slow-adapter", adapter=f"*{CLO}", seconds=20)
    async with (
        simulated_lorax(abort_bugs=True, faults=(slow, UNLOADABLE)) as (url, engine),
        standing(board, url) as stand,
    ):
        await stand.wait_ready(*ROLES)
        board.make_adapters("CLO")
        working = asyncio.create_task(engine.work())
        board.write(*(agent(role) for role in (*ROLES, "CLO")))
        await until(lambda: any(a.endswith(CLO) for a in engine.state()["pending"]))
        leaving = asyncio.create_task(stand.ask(agents=["clo"]))
        late = await stand.ask(agents=["clo"], timeout=0.2)
        leaving.cancel()
        answer = await stand.answer()
        if working.done():
            aborted.append(str(working.exception()))
        working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await working
    assert (late.status_code, aborted) == (503, [])
    assert answer["agents_involved"] == NAMES


@pytest.mark.parametrize("name", ["ceo\nx", "/models/ceo_lora_adapter", "ceo_lora_adapter,cfo_lora_adapter"])
async def test_malformed_id_abort_only_ids_of_the_roster_are_ever_sent(board: Board, name: str) -> None:
    """A newline in an id aborts the router, and any directory could be named."""
    async with simulated_lorax() as (url, engine), standing(board, url) as stand:
        await stand.wait_ready(*ROLES)
        refused = [
            await stand.ask(agents=[name]),
            await stand.ask(adapter_id=name),
            await stand.ask(parameters={"adapter_id": name}),
            await stand.ask(parameters={"merged_adapters": {"ids": [name], "merge_strategy": "x"}}),
        ]
        await stand.answer()
        ids = {r["adapter_id"] for r in asked(engine)}
    assert [r.status_code for r in refused] == [404, 422, 422, 422]
    assert ids == paths(board, *ROLES)


async def test_retry_downloads_again_a_failed_adapter_is_not_downloaded_again_by_every_question(board: Board) -> None:
    board.write(*(agent(role) for role in (*ROLES, "CLO")))
    board.make_adapters("CLO")
    async with simulated_lorax(faults=(UNLOADABLE,)) as (url, engine), standing(board, url) as stand:
        answers = [await stand.answer(parameters={"max_new_tokens": 2}) for _ in range(5)]
        tries = [r for r in asked(engine) if r["adapter_id"].endswith(CLO)]
    assert [by_role(a)["CLO"]["status"] for a in answers] == ["absent"] * 5
    assert len(tries) == 1


async def test_preloaded_only_with_preloaded_adapters_a_new_member_is_absent_with_loraxs_words(board: Board) -> None:
    board.make_adapters("CLO")
    board.write(*(agent(role) for role in (*ROLES, "CLO")))
    preloaded = tuple(sorted(paths(board, *ROLES)))
    async with (
        simulated_lorax(preloaded_adapter_ids=preloaded, preloaded_adapter_source="local") as (url, _),
        standing(board, url) as stand,
    ):
        answer = await stand.answer()
    assert answer["agents_involved"] == NAMES
    assert "This model does not support dynamic adapter loading" in by_role(answer)["CLO"]["reason"]


@pytest.mark.parametrize("key", ["use_dora", "use_rslora"])
async def test_silent_peft_features_nothing_is_sent_to_what_lorax_gets_silently_wrong(board: Board, key: str) -> None:
    config = board.adapter("CFO") / "adapter_config.json"
    config.write_bytes(orjson.dumps(orjson.loads(config.read_bytes()) | {key: True}))
    async with simulated_lorax() as (url, engine), standing(board, url) as stand:
        answer = await stand.answer()
        ids = {r["adapter_id"] for r in asked(engine)}
    assert key in by_role(answer)["CFO"]["reason"]
    assert ids == paths(board, "CEO", "COO", "CMO", "CTO")


async def test_batch_error_an_error_that_fails_the_whole_batch_costs_nobody_the_answer(board: Board) -> None:
    async with simulated_lorax() as (url, engine), standing(board, url) as stand:
        await stand.wait_ready(*ROLES)
        engine.faults.add(Fault(kind="error", error="batch", times=1))
        answer = await stand.answer()
        failed = [r for r in asked(engine) if r["outcome"] == "failed"]
    assert answer["agents_involved"] == NAMES
    assert failed != []
