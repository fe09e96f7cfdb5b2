"""Standard inference beside LoRAX: when it answers, and that every answer says so."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest

from boardroom.simulator.model_server.signature import signature
from component.coordinator.standing_board import (
    MODEL,
    NAMES,
    ROLES,
    SALT,
    Board,
    Standing,
    agent,
    by_role,
    served,
    simulated_lorax,
    standing,
    until,
    unused_port,
)
from component.engine.scripted_lorax import Call, ScriptedLorax

STANDARD_MODEL = "gpt-board"


async def say(call: Call) -> None:
    await call.say("as a generalist, yes")


@contextlib.asynccontextmanager
async def with_standard(
    board: Board, lorax_url: str | None, server: ScriptedLorax | None = None
) -> AsyncIterator[tuple[Standing, ScriptedLorax]]:
    server = server or ScriptedLorax(say)
    async with (
        served(server) as url,
        standing(board, lorax_url, standard_url=f"{url}/v1", standard_model=STANDARD_MODEL) as stand,
    ):
        yield stand, server


def engines(answer: dict[str, Any]) -> dict[str, str]:
    return {a["agent"]: a["engine"] for a in answer["answers"]}


async def test_a_member_whose_adapter_lorax_cannot_load_is_answered_for_and_says_so(board: Board) -> None:
    board.write(*(agent(role) for role in (*ROLES, "CLO")))
    async with simulated_lorax() as (url, _), with_standard(board, url) as (stand, server):
        await stand.wait_ready(*ROLES)
        answer = await stand.answer()
    clo = by_role(answer)["CLO"]
    assert (clo["status"], clo["engine"], clo["adapter"], clo["cold_load"]) == ("answered", "standard", None, None)
    assert clo["text"] == "as a generalist, yes"
    assert engines(answer) == dict.fromkeys(NAMES, "lorax") | {"clo": "standard"}
    assert (answer["used_lorax"], answer["batch"]["size"]) == (True, 5)
    [warning] = answer["warnings"]
    assert warning.startswith("CLO (clo) answered by standard inference, without its adapter: ")
    assert "no such directory on the adapters volume" in warning
    assert {call.body["model"] for call in server.calls} == {"gpt-board"}
    for role in ROLES:
        one = by_role(answer)[role]
        assert signature(SALT, MODEL, one["adapter"]["path"], one["adapter"]["digest"]) in one["text"]


async def test_a_board_whose_lorax_is_down_is_answered_for_and_by_lorax_again_when_it_is_back(board: Board) -> None:
    with unused_port() as port:
        async with with_standard(board, f"http://127.0.0.1:{port}") as (stand, _):
            await until(lambda: stand.backend.health_check.running is False)
            answer = await stand.answer()
            assert (answer["used_lorax"], answer["batch"]) == (False, None)
            assert engines(answer) == dict.fromkeys(NAMES, "standard")
            assert all("LoRAX is down" in warning for warning in answer["warnings"])
            assert await gauge(stand, "boardroom_breaker_open") == 1
            async with simulated_lorax(port):
                await stand.wait_ready(*ROLES)
                answer = await stand.answer()
                assert engines(answer) == dict.fromkeys(NAMES, "lorax")
                assert await gauge(stand, "boardroom_breaker_open") == 0


async def test_without_standard_inference_a_lorax_that_is_down_is_said_at_once_and_when_to_ask_again(
    board: Board,
) -> None:
    with unused_port() as port:
        async with standing(board, f"http://127.0.0.1:{port}") as stand:
            await until(lambda: stand.backend.health_check.running is False)
            response = await stand.ask()
            opened = await gauge(stand, "boardroom_breaker_open")
    assert (response.status_code, response.headers["retry-after"], opened) == (503, "5", 1)
    error = response.json()["error"]
    assert (error["code"], [m["agent"] for m in error["members"]]) == ("not_enough_answers", NAMES)


async def test_a_failed_generation_is_retried_alone_and_then_answered_for(board: Board) -> None:
    async with simulated_lorax() as (url, _), with_standard(board, url) as (stand, _server):
        await stand.wait_ready(*ROLES)
        async with httpx.AsyncClient(base_url=url, trust_env=False) as lorax:
            fault = {"kind": "error", "error": "generation", "adapter": "*cfo*", "times": 2}
            (await lorax.post("/simulator/faults", json=fault)).raise_for_status()
        answer = await stand.answer()
    assert engines(answer) == dict.fromkeys(NAMES, "lorax") | {"cfo": "standard"}
    assert answer["batch"]["size"] == 5


async def test_a_lorax_that_hangs_leaves_standard_inference_time_to_answer(board: Board) -> None:
    async def hang(call: Call) -> None:
        if call.is_probe:
            await call.say("ok")
        else:
            await call.client_leaves()

    async with served(ScriptedLorax(hang)) as url, with_standard(board, url) as (stand, _):
        await stand.wait_ready(*ROLES)
        answer = await stand.answer(timeout=3)
    assert engines(answer) == dict.fromkeys(NAMES, "standard")
    assert all("within its share of the time" in warning for warning in answer["warnings"])


async def test_a_question_may_ask_for_standard_inference(board: Board) -> None:
    async with simulated_lorax() as (url, engine), with_standard(board, url) as (stand, _):
        await stand.wait_ready(*ROLES)
        before = engine.usage.since(0)["last"]
        answer = await stand.answer(use_lorax=False, agents=["cfo", "ceo"])
        asked = engine.usage.since(before)["requests"]
    assert engines(answer) == {"cfo": "standard", "ceo": "standard"}
    assert (answer["used_lorax"], answer["batch"], answer["warnings"], asked) == (False, None, [], [])


async def test_a_board_without_lorax_is_answered_by_standard_inference_and_is_ready(board: Board) -> None:
    board.write(*(agent(role) for role in ROLES), spec={"enableLorax": False})
    async with with_standard(board, None) as (stand, _):
        answer = await stand.answer()
        health = (await stand.client.get("/v1/health")).json()
        members = (await stand.client.get("/v1/agents")).json()["agents"]
    assert engines(answer) == dict.fromkeys(NAMES, "standard")
    assert (health["ready"], health["standard_inference"], health["system_health"]["members"]["ready"]) == (
        True,
        True,
        5,
    )
    assert {m["reason"] for m in members} == {"StandardInference"}


async def test_where_both_fail_the_member_is_named_with_both_reasons(board: Board) -> None:
    async def refuse(call: Call) -> None:
        await call.answer(401, b'{"error": {"message": "bad key"}}')

    board.write(agent("CEO"), agent("CLO"))
    async with simulated_lorax() as (url, _), with_standard(board, url, ScriptedLorax(refuse)) as (stand, _server):
        await stand.wait_ready("CEO")
        answer = await stand.answer()
    clo = by_role(answer)["CLO"]
    assert clo["status"] == "failed"
    assert "bad key" in clo["reason"]
    assert "spec.standardInference.apiKeySecretRef" in clo["reason"]
    assert "no such directory on the adapters volume" in clo["reason"]


async def gauge(stand: Standing, name: str) -> float:
    async with httpx.AsyncClient(trust_env=False) as client:
        page = (await client.get(f"{stand.metrics_url}/metrics")).text
    [line] = [line for line in page.splitlines() if line.startswith(f"{name} ")]
    return float(line.split()[1])


async def test_an_answer_that_a_filter_has_cut_says_so(board: Board) -> None:
    async def cut(call: Call) -> None:
        choice = {"message": {"role": "assistant", "content": "we"}, "finish_reason": "content_filter"}
        await call.answer(200, orjson.dumps({"choices": [choice]}))

    body = {"model": "executive", "messages": [{"role": "user", "content": "And now?"}]}
    board.write(agent("CFO"))
    async with with_standard(board, None, ScriptedLorax(cut)) as (stand, _):
        answer = await stand.answer()
        completion = (await stand.client.post("/v1/chat/completions", json=body)).raise_for_status().json()
    assert by_role(answer)["CFO"]["finish_reason"] == "content_filter"
    assert completion["choices"][0]["finish_reason"] == "content_filter"


async def test_each_choice_of_a_completion_is_told_apart_by_its_engine(board: Board) -> None:
    async def fail_the_second(call: Call) -> None:
        if call.body.get("seed") == 8:
            await call.fail(424, "Request failed during generation: CUDA error", "generation")
        else:
            await call.say("my own answer")

    body = {"model": "executive/cfo", "messages": [{"role": "user", "content": "And now?"}], "n": 3, "seed": 7}
    async with served(ScriptedLorax(fail_the_second)) as url, with_standard(board, url) as (stand, _server):
        await stand.wait_ready(*ROLES)
        answer = (await stand.client.post("/v1/chat/completions", json=body)).raise_for_status().json()
    spoke = [(one["engine"], one["text"]) for one in answer["boardroom"]["answers"]]
    assert spoke == [("lorax", "my own answer"), ("standard", "as a generalist, yes"), ("lorax", "my own answer")]
    assert [choice["message"]["content"] for choice in answer["choices"]] == [text for _, text in spoke]
    [warning] = answer["boardroom"]["warnings"]
    assert warning.startswith("CFO (cfo) answered by standard inference, without its adapter: ")


@pytest.mark.parametrize(
    ("status", "cause", "told"),
    [
        (404, "404 page not found", (503, "not_enough_answers")),
        (402, "Insufficient Balance", (503, "not_enough_answers")),
        (400, "API key not valid", (503, "not_enough_answers")),
        (400, "too long", (422, "question_refused")),
    ],
)
async def test_what_the_configuration_lacks_is_not_the_callers_fault(
    board: Board, status: int, cause: str, told: tuple[int, str]
) -> None:
    board.write(agent("CFO"), spec={"enableLorax": False})
    server = ScriptedLorax(lambda call: call.answer(status, orjson.dumps({"error": {"message": cause}})))
    async with with_standard(board, None, server) as (stand, _):
        response = await stand.ask()
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == told
    assert cause in error["members"][0]["reason"]


FORM = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object", "required": ["vote"]}}}


async def test_a_form_that_the_server_does_not_take_is_said_to_who_asked_for_it(board: Board) -> None:
    """A vote's own form is in its prompt too, and a text that is no vote is asked again."""

    async def plain(call: Call) -> None:
        if "response_format" in call.body:
            await call.answer(400, b'{"error": {"message": "This response_format type is unavailable now"}}')
        else:
            await call.say('{"position": "support", "confidence": 0.9, "rationale": "because"}')

    board.write(agent("CFO"), spec={"enableLorax": False})
    body = {"model": "executive/cfo", "messages": [{"role": "user", "content": "And now?"}], "response_format": FORM}
    async with with_standard(board, None, ScriptedLorax(plain)) as (stand, server):
        completion = (await stand.client.post("/v1/chat/completions", json=body)).raise_for_status().json()
        vote = await stand.answer(coordination_mode="consensus")
    [warning] = completion["boardroom"]["warnings"]
    assert warning.startswith("CFO (cfo): standard inference does not hold its model to response_format")
    assert (vote["decision"]["votes"][0]["position"], vote["warnings"]) == ("support", [])
    assert len(server.calls) == 4, "json_schema, json_object and nothing; then a vote without"
