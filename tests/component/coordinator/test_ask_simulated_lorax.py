"""The main job against the simulator: who spoke, in which batch, and who could not."""

import asyncio
import shutil

import httpx
import orjson
import pytest

from boardroom.simulator.model_server.signature import signature
from component.coordinator.standing_board import (
    MODEL,
    NAMES,
    ROLES,
    SALT,
    UNLOADABLE,
    Board,
    agent,
    by_role,
    retry_at,
    simulated_lorax,
    standing,
    until,
)


async def test_every_answer_has_the_signature_of_its_member(board: Board) -> None:
    async with simulated_lorax() as (url, _), standing(board, url) as stand:
        answer = await stand.answer()
    assert [a["agent"] for a in answer["answers"]] == NAMES
    for one in answer["answers"]:
        path = str(board.adapter(one["role"]))
        assert (one["status"], one["engine"], one["adapter"]["path"]) == ("answered", "lorax", path)
        assert signature(SALT, MODEL, path, one["adapter"]["digest"]) in one["text"]
    assert (answer["used_lorax"], answer["batch"]["size"], answer["agents_involved"]) == (True, 5, NAMES)


async def test_the_reply_is_every_answer_under_its_role(board: Board) -> None:
    async with simulated_lorax() as (url, _), standing(board, url) as stand:
        answer = await stand.answer(agents=["cto", "CEO"])
    assert answer["reply"] == "\n\n".join(f"{a['role']}: {a['text']}" for a in answer["answers"])
    assert answer["agents_involved"] == ["cto", "ceo"]


async def test_members_of_a_parallel_question_share_decode_steps(board: Board) -> None:
    async with simulated_lorax() as (url, _), standing(board, url) as stand:
        await stand.wait_ready(*ROLES)
        answer = await stand.answer()
        sizes = await shared_steps(url, answer["request_id"], NAMES)
    assert 5 in sizes


async def test_members_of_a_sequential_question_never_share_a_step(board: Board) -> None:
    async with simulated_lorax() as (url, _), standing(board, url) as stand:
        answer = await stand.answer(coordination_mode="sequential")
        sizes = await shared_steps(url, answer["request_id"], NAMES)
    assert sizes == {1}
    assert answer["batch"] is None


async def test_a_member_of_a_sequential_question_sees_the_answers_before_it(board: Board) -> None:
    async with simulated_lorax() as (url, _), standing(board, url) as stand:
        answer = await stand.answer(coordination_mode="sequential", agents=["ceo", "cfo"])
    first, second = answer["answers"]
    assert second["usage"]["prompt_tokens"] >= first["usage"]["prompt_tokens"] + first["usage"]["completion_tokens"]


async def test_one_member_is_no_batch(board: Board) -> None:
    async with simulated_lorax() as (url, _), standing(board, url) as stand:
        answer = await stand.answer(agents=["ceo"])
    assert (answer["batch"], answer["used_lorax"]) == (None, True)


async def test_a_member_without_files_is_a_named_absence_before_lorax_sees_it(board: Board) -> None:
    board.write(*(agent(role) for role in (*ROLES, "CLO")))
    async with simulated_lorax() as (url, _), standing(board, url) as stand:
        answer = await stand.answer()
        await stand.wait_ready(*ROLES)
        asked = await adapters_asked(url)
    clo = by_role(answer)["CLO"]
    assert (len(answer["answers"]), answer["agents_involved"]) == (6, NAMES)
    assert (clo["status"], clo["text"], clo["engine"]) == ("absent", None, None)
    assert "boardroom adapters push" in clo["reason"]
    assert asked == {str(board.adapter(role)) for role in ROLES}
    assert answer["warnings"] == [f"CLO (clo) is absent: {clo['reason']}"]


async def test_an_adapter_of_another_base_model_is_a_named_absence_before_lorax_sees_it(board: Board) -> None:
    config = board.adapter("CFO") / "adapter_config.json"
    fields = orjson.loads(config.read_bytes()) | {"base_model_name_or_path": "google/gemma-2b", "target_modules": ["x"]}
    config.write_bytes(orjson.dumps(fields))
    async with simulated_lorax() as (url, _), standing(board, url) as stand:
        answer = await stand.answer()
    assert by_role(answer)["CFO"]["status"] == "absent"
    assert "names the base model 'google/gemma-2b'" in by_role(answer)["CFO"]["reason"]
    assert len(answer["agents_involved"]) == 4


async def test_an_adapter_that_lorax_gets_silently_wrong_is_never_sent_to(board: Board) -> None:
    config = board.adapter("CFO") / "adapter_config.json"
    config.write_bytes(orjson.dumps(orjson.loads(config.read_bytes()) | {"use_dora": True}))
    async with simulated_lorax() as (url, _), standing(board, url) as stand:
        answer = await stand.answer()
        await stand.wait_ready("CEO", "COO", "CMO", "CTO")
        asked = await adapters_asked(url)
    assert "use_dora" in by_role(answer)["CFO"]["reason"]
    assert asked == {str(board.adapter(role)) for role in ("CEO", "COO", "CMO", "CTO")}
    assert by_role(answer)["CFO"]["status"] == "absent"


async def test_a_member_without_an_adapter_speaks_as_the_base_model(board: Board) -> None:
    board.write(agent("CEO"), agent("Scribe", adapter={"none": True}))
    async with simulated_lorax() as (url, _), standing(board, url) as stand:
        answer = await stand.answer()
    scribe = by_role(answer)["Scribe"]
    assert signature(SALT, MODEL, "", "") in scribe["text"]
    assert (scribe["adapter"], scribe["cold_load"]) == (None, None)


@pytest.mark.parametrize("template", ["refuse-system", "none"])
async def test_a_model_without_a_usable_chat_template_is_asked_in_the_plain_layout(board: Board, template: str) -> None:
    board.write(*(agent(role, systemPrompt=f"You are the {role}.") for role in ROLES))
    async with simulated_lorax(chat_template=template) as (url, _), standing(board, url) as stand:
        answer = await stand.answer()
    assert answer["agents_involved"] == NAMES
    for one in answer["answers"]:
        assert signature(SALT, MODEL, one["adapter"]["path"], one["adapter"]["digest"]) in one["text"]
        assert one["usage"]["completion_tokens"] > 0


async def test_a_prompt_that_is_too_long_fails_by_name_and_the_rest_answer(board: Board) -> None:
    board.write(agent("CEO"), agent("CFO", systemPrompt="word " * 5000))
    async with simulated_lorax() as (url, _), standing(board, url) as stand:
        answer = await stand.answer()
    assert by_role(answer)["CFO"]["status"] == "failed"
    assert "must be <= 4096" in by_role(answer)["CFO"]["reason"]
    assert answer["agents_involved"] == ["ceo"]


async def test_requests_beyond_loraxs_limit_are_repeated_within_the_deadline(board: Board) -> None:
    async with simulated_lorax(max_concurrent_requests=5) as (url, _), standing(board, url) as stand:
        await stand.wait_ready(*ROLES)
        answers = await asyncio.gather(*(stand.answer() for _ in range(3)))
    assert [answer["agents_involved"] for answer in answers] == [NAMES] * 3


async def test_members_that_lorax_can_not_take_together_with_the_others_are_absent_with_the_remedy(
    board: Board,
) -> None:
    async with simulated_lorax(max_concurrent_requests=3) as (url, engine), standing(board, url) as stand:
        answer = await stand.answer()
        loads = engine.shard.loads
        again = await stand.answer()
        assert engine.shard.loads == loads  # and nobody is swapped any more
    reasons = [a["reason"] for a in answer["answers"] if a["status"] == "absent"]
    assert (len(answer["agents_involved"]), again["agents_involved"]) == (3, answer["agents_involved"])
    assert [("spec.lorax.maxConcurrentRequests" in reason) for reason in reasons] == [True, True]


async def test_members_come_and_go_with_the_file(board: Board) -> None:
    async with simulated_lorax() as (url, _), standing(board, url) as stand:
        await stand.wait_ready(*ROLES)
        board.make_adapters("CLO")
        board.write(agent("CEO"), agent("CLO"))
        await stand.wait_ready("CEO", "CLO")
        answer = await stand.answer()
    assert answer["agents_involved"] == ["ceo", "clo"]


async def test_files_that_appear_are_proved_without_waiting_for_the_back_off(board: Board) -> None:
    shutil.rmtree(board.adapter("CFO"))
    async with simulated_lorax() as (url, _), standing(board, url) as stand:
        await stand.wait_ready("CEO", "COO", "CMO", "CTO")
        retry_at(stand.registry, str(board.adapter("CFO")), float("inf"))
        board.make_adapters("CFO")
        await stand.wait_ready(*ROLES)
        assert (await stand.answer())["agents_involved"] == NAMES


async def test_weights_replaced_under_their_path_are_not_attributed(board: Board) -> None:
    """LoRAX does not read them again: which weights speak can't be known, and the answer says so."""
    async with simulated_lorax() as (url, _), standing(board, url) as stand:
        await stand.wait_ready(*ROLES)
        board.replace_adapter("CFO")
        await until(lambda: stand.registry[str(board.adapter("CFO"))].replaced)
        answer = await stand.answer()
    assert by_role(answer)["CFO"]["adapter"] == {"path": str(board.adapter("CFO")), "digest": None}
    assert [w for w in answer["warnings"] if "new path" in w] != []


async def test_a_failing_adapter_does_not_leave_the_others_evicted(board: Board) -> None:
    """Each failed load evicts a resident one; the wave ends with the residents, so questions stay warm."""
    board.write(*(agent(role) for role in (*ROLES, "CLO")))
    board.make_adapters("CLO")
    async with simulated_lorax(time_scale=0.2, faults=(UNLOADABLE,)) as (url, engine), standing(board, url) as stand:
        await stand.wait_ready(*ROLES)
        await until(
            lambda: stand.coordinator.metrics.registry.get_sample_value("boardroom_adapters", {"state": "failed"})
        )
        await asyncio.sleep(1.0)
        active = {a for a in engine.state()["active"] if a != ""}
    assert {str(board.adapter(role)) for role in ROLES} <= active


async def test_lorax_that_starts_later_is_found_and_its_adapters_are_proved(board: Board) -> None:
    from boardroom.cli.processes import free_port

    port = free_port()
    async with standing(board, f"http://127.0.0.1:{port}") as stand:
        before = await stand.ask()
        async with simulated_lorax(port):
            await stand.wait_ready(*ROLES)
            after = await stand.answer()
        again = await stand.ask()
    assert before.status_code == 503
    problems = before.json()["error"]["members"]
    assert [m["agent"] for m in problems] == NAMES
    assert {m["reason"].split(" at ")[0] for m in problems} == {"LoRAX is starting"}
    assert after["agents_involved"] == NAMES
    assert again.status_code == 503


async def test_health_and_agents_say_what_is_loaded(board: Board) -> None:
    board.write(*(agent(role) for role in (*ROLES, "CLO")), agent("ceo", name="zwei"))
    async with simulated_lorax() as (url, _), standing(board, url) as stand:
        await stand.wait_ready(*ROLES)
        await until(lambda: stand.registry[str(board.adapter("CLO"))].files)
        health = (await stand.client.get("/v1/health")).json()["system_health"]
        agents = (await stand.client.get("/v1/agents")).json()
    assert {k: health["lorax"][k] for k in ("running", "total_adapters", "loaded_adapters")} == {
        "running": True,
        "total_adapters": 6,
        "loaded_adapters": 5,
    }
    assert health["members"] == {"total": 6, "ready": 5, "refused": 1}
    assert {a["agent"]: a["reason"] for a in agents["agents"]} == {
        **dict.fromkeys(NAMES, "AdapterProved"),
        "clo": "AdapterMissing",
    }
    assert [(r["agent"], r["reason"]) for r in agents["refused"]] == [("zwei", "DuplicateRole")]


async def adapters_asked(url: str) -> set[str]:
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        steps = (await client.get("/simulator/steps")).json()["steps"]
    return {r["adapter_id"] for step in steps for r in step["requests"]}


async def shared_steps(url: str, request_id: str, names: list[str]) -> set[int]:
    """How many of the question's requests each step of the engine served."""
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        steps = (await client.get("/simulator/steps")).json()["steps"]
    asked = {f"{request_id}.{name}" for name in names}
    return {len(asked & {r["request_id"] for r in step["requests"]}) for step in steps} - {0}
