"""The modes that ask more than once, against the simulator and a LoRAX that hangs."""

import json
from typing import Any

import httpx

from boardroom.api.ask import Position
from boardroom.simulator.model_server.signature import signature
from component.coordinator.standing_board import (
    MODEL,
    NAMES,
    ROLES,
    SALT,
    Board,
    agent,
    by_role,
    served,
    simulated_lorax,
    standing,
)
from component.engine.scripted_lorax import Call, ScriptedLorax


async def test_the_chair_speaks_with_its_own_adapter_after_the_others_shared_a_batch(board: Board) -> None:
    spec = {"deliberation": {"defaultMode": "Hierarchical", "chairRef": {"name": "cfo"}}}
    board.write(*(agent(role) for role in ROLES), spec=spec)
    async with simulated_lorax() as (url, _), standing(board, url) as stand:
        await stand.wait_ready(*ROLES)
        answer = await stand.answer()
        together = await steps(url, answer["request_id"])
    adapter = by_role(answer)["CFO"]["adapter"]
    assert (answer["coordination_mode"], answer["chair"]) == ("hierarchical", "cfo")
    assert answer["reply"] == by_role(answer)["CFO"]["text"]
    assert signature(SALT, MODEL, adapter["path"], adapter["digest"]) in answer["reply"]
    assert ([b["size"] for b in answer["batches"]], answer["batch"]) == ([4], answer["batches"][0])
    others = set(NAMES) - {"cfo"}
    assert others in together
    assert [names for names in together if "cfo" in names and names != {"cfo"}] == []


async def test_each_round_is_a_batch_of_everybody_with_their_own_adapters(board: Board) -> None:
    async with simulated_lorax() as (url, _), standing(board, url) as stand:
        await stand.wait_ready(*ROLES)
        answer = await stand.answer(coordination_mode="collaborative", rounds=2)
        together = await steps(url, answer["request_id"])
    assert [b["size"] for b in answer["batches"]] == [5, 5]
    assert set(NAMES) in together
    for round_ in answer["rounds"]:
        for one in round_["answers"]:
            adapter = by_role(answer)[one["role"]]["adapter"]
            assert signature(SALT, MODEL, adapter["path"], adapter["digest"]) in one["text"]
    assert answer["agents_involved"] == NAMES


async def test_a_member_that_hangs_leaves_the_chair_its_share_of_the_time(board: Board) -> None:
    async def hang(call: Call) -> None:
        if call.adapter.endswith("/cfo_lora_adapter") and not call.is_probe:
            await call.client_leaves()
        else:
            await call.say("we grow")

    async with served(ScriptedLorax(hang)) as url, standing(board, url) as stand:
        await stand.wait_ready(*ROLES)
        answer = await stand.answer(coordination_mode="hierarchical", timeout=4)
    assert (by_role(answer)["CFO"]["status"], answer["reply"]) == ("failed", "we grow")
    assert by_role(answer)["CFO"]["reason"].startswith("timeout: no answer within 1.9")


async def steps(url: str, request_id: str) -> list[set[str]]:
    """The members of the question that each step of the engine served."""
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        found = (await client.get("/simulator/steps")).json()["steps"]
    prefix = f"{request_id}."
    ids = [{r["request_id"] for r in step["requests"] if r["request_id"].startswith(prefix)} for step in found]
    return [{one.removeprefix(prefix) for one in step} for step in ids if step]


async def test_members_vote_in_one_batch_with_their_own_adapters(board: Board) -> None:
    board.write(*(agent(role, tokens=400) for role in ROLES), spec={"deliberation": {"defaultMode": "Consensus"}})
    async with simulated_lorax() as (url, _), standing(board, url) as stand:
        await stand.wait_ready(*ROLES)
        answer = await stand.answer()
        again = await stand.answer()
    votes: list[dict[str, Any]] = answer["decision"]["votes"]
    assert answer["batches"][0]["size"] == 5
    assert {v["position"] for v in votes} <= set(Position)
    for one in votes:
        adapter = by_role(answer)[one["role"]]["adapter"]
        assert signature(SALT, MODEL, adapter["path"], adapter["digest"]) in by_role(answer)[one["role"]]["text"]
        assert one["rationale"] in json.loads(by_role(answer)[one["role"]]["text"])["rationale"]
    assert again["decision"] == answer["decision"]
