"""Answers while they are being made: /v1/ask's events."""

import asyncio
import json
import socket

import httpx
import pytest

from boardroom.coordinator.http import sse as buffer
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
    until_counted,
)
from component.coordinator.streams import Event, chunks, events, named, read, said
from component.engine.scripted_lorax import Call, ScriptedLorax, beside_probes, delta


async def test_members_speak_at_once_and_the_result_is_what_they_said(board: Board) -> None:
    async with simulated_lorax() as (url, _), standing(board, url) as stand:
        await stand.wait_ready(*ROLES)
        found = await events(stand)
    [result] = named(found, "result")
    assert [e["agent"] for e in named(found, "member.started")] == NAMES
    assert found[-1][0] == "result"
    for one in result["answers"]:
        assert said(found, one["agent"]) == one["text"]
        assert signature(SALT, MODEL, one["adapter"]["path"], one["adapter"]["digest"]) in one["text"]
    first_done = next(i for i, (name, _) in enumerate(found) if name == "member.done")
    spoke_before = {data["agent"] for name, data in found[:first_done] if name == "member.delta"}
    assert spoke_before == set(NAMES)
    assert [d["agent"] for d in named(found, "member.done")] != []
    assert named(found, "round.done") == [{"round": 1, "members": dict.fromkeys(NAMES, "answered")}]
    assert (result["batch"]["size"], result["used_lorax"]) == (5, True)


async def test_each_round_has_its_own_deltas(board: Board) -> None:
    async with simulated_lorax() as (url, _), standing(board, url) as stand:
        await stand.wait_ready(*ROLES)
        found = await events(stand, coordination_mode="hierarchical")
    [result] = named(found, "result")
    assert said(found, "ceo", 2) == result["reply"]
    assert said(found, "ceo", 1) == ""
    assert [e["round"] for e in named(found, "round.done")] == [1, 2]


async def test_a_member_that_can_not_speak_is_done_at_once_with_its_reason(board: Board) -> None:
    board.write(*(agent(role) for role in (*ROLES, "CLO")))
    async with simulated_lorax() as (url, _), standing(board, url) as stand:
        await stand.wait_ready(*ROLES)
        found = await events(stand)
    [clo] = [d for d in named(found, "member.done") if d["agent"] == "clo"]
    assert (clo["status"], by_role(named(found, "result")[0])["CLO"]["status"]) == ("absent", "absent")
    assert "no such directory on the adapters volume" in clo["reason"]


async def test_a_bad_question_is_a_plain_error_though_a_stream_was_asked_for(board: Board) -> None:
    async with served(ScriptedLorax(lambda call: call.say("yes"))) as url, standing(board, url) as stand:
        response = await stand.ask(stream=True, agents=["janitor"])
    assert (response.status_code, response.json()["error"]["code"]) == (404, "unknown_agent")


async def test_accept_asks_for_a_stream_too(board: Board) -> None:
    async with simulated_lorax() as (url, _), standing(board, url) as stand:
        accept = {"accept": "text/event-stream"}
        response = await stand.client.post("/v1/ask", json={"user_input": "And now?"}, headers=accept)
    assert response.headers["content-type"] == "text/event-stream"


async def test_a_failure_after_the_beginning_is_an_event_with_the_members_reasons(board: Board) -> None:
    @beside_probes
    async def fall_over(call: Call) -> None:
        await call.begin(200, "text/event-stream")
        await call.chunk(b'data: {"error": "CUDA error", "error_type": "generation"}\n\n', last=True)

    async with served(ScriptedLorax(fall_over)) as url, standing(board, url) as stand:
        await stand.wait_ready(*ROLES)
        found = await events(stand)
    [error] = named(found, "error")
    assert (error["error"]["code"], found[-1][0]) == ("not_enough_answers", "error")
    assert {m["agent"] for m in error["error"]["members"]} == set(NAMES)
    assert "CUDA error" in error["error"]["members"][0]["reason"]


async def test_what_was_said_in_an_attempt_that_broke_is_taken_back(board: Board) -> None:
    @beside_probes
    async def break_once(call: Call) -> None:
        await call.begin(200, "text/event-stream")
        again = len([c for c in lorax.calls if not c.is_probe]) > 1
        await call.chunk(delta("second" if again else "first"))
        if again:
            await call.chunk(delta("", "stop"), last=True)
        else:
            await call.chunk(b'data: {"error": "CUDA error", "error_type": "generation"}\n\n', last=True)

    lorax = ScriptedLorax(break_once)
    async with served(lorax) as url, standing(board, url) as stand:
        await stand.wait_ready(*ROLES)
        found = await events(stand, agents=["ceo"])
        lorax.calls.clear()
        broken = await chunks(stand, model="executive/ceo")
    order = [(name, data.get("text")) for name, data in found if name.startswith("member.") and name != "member.done"]
    assert order == [
        ("member.started", None),
        ("member.delta", "first"),
        ("member.restarted", None),
        ("member.delta", "second"),
    ]
    assert named(found, "result")[0]["answers"][0]["text"] == "second"
    last = broken[-1]
    assert isinstance(last, dict)
    assert last["error"]["code"] == "stream_broken"
    assert "CUDA error" in last["error"]["message"]


async def test_the_first_delta_leaves_before_loraxs_second_token(board: Board) -> None:
    go_on = asyncio.Event()

    @beside_probes
    async def one_and_wait(call: Call) -> None:
        await call.begin(200, "text/event-stream")
        await call.chunk(delta("we"))
        await go_on.wait()
        await call.chunk(delta(" grow", "stop"), last=True)

    body = {"user_input": "And now?", "stream": True, "agents": ["ceo"]}
    async with served(ScriptedLorax(one_and_wait)) as url, standing(board, url) as stand:
        await stand.wait_ready(*ROLES)
        async with stand.client.stream("POST", "/v1/ask", json=body) as answer:
            found: list[Event] = []
            async for event in read(answer):
                found.append(event)
                if event[0] == "member.delta":
                    go_on.set()
    assert [data["text"] for data in named(found, "member.delta")] == ["we", " grow"]


async def test_a_client_that_leaves_frees_loraxs_places(board: Board) -> None:
    left = asyncio.Event()

    @beside_probes
    async def speak_on(call: Call) -> None:
        await call.begin(200, "text/event-stream")
        await call.chunk(delta("we"))
        await call.client_leaves()
        left.set()

    body = {"user_input": "And now?", "stream": True, "agents": ["ceo"]}
    async with served(ScriptedLorax(speak_on)) as url, standing(board, url) as stand:
        await stand.wait_ready(*ROLES)
        async with stand.client.stream("POST", "/v1/ask", json=body) as answer:
            async for event in read(answer):
                if event[0] == "member.delta":
                    break
        async with asyncio.timeout(20):
            await left.wait()
        page = httpx.AsyncClient(trust_env=False)
        async with page:
            await until_counted(page, stand, 'boardroom_requests_total{code="499",mode="parallel",route="/v1/ask"} 1.0')


async def test_silence_has_a_sign_of_life(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buffer, "HEARTBEAT_SECONDS", 0.05)

    async def slow(call: Call) -> None:
        if not call.is_probe:
            await asyncio.sleep(0.5)
        await call.begin(200, "text/event-stream") if call.body.get("stream") else await call.say("yes")
        if call.body.get("stream"):
            await call.chunk(delta("yes", "stop"), last=True)

    async with served(ScriptedLorax(slow)) as url, standing(board, url) as stand:
        await stand.wait_ready(*ROLES)
        body = {"user_input": "And now?", "stream": True, "agents": ["ceo"]}
        async with stand.client.stream("POST", "/v1/ask", json=body) as answer:
            text = "".join([chunk async for chunk in answer.aiter_text()])
    assert text.count(":\n\n") >= 2
    assert "event: result" in text


async def test_the_question_of_a_client_that_does_not_read_is_ended(board: Board) -> None:
    left = asyncio.Event()

    @beside_probes
    async def speak_on(call: Call) -> None:
        await call.begin(200, "text/event-stream")
        for _ in range(16 * 64):  # 16 MiB: more than the kernel keeps for who does not read
            await call.chunk(delta(16 * 1024 * "x"))
        await call.client_leaves()
        left.set()

    body = json.dumps({"user_input": "And now?", "stream": True, "agents": ["ceo"]}).encode()
    async with served(ScriptedLorax(speak_on)) as url, standing(board, url) as stand:
        await stand.wait_ready(*ROLES)
        host, port = str(stand.client.base_url.host), stand.client.base_url.port
        with socket.create_connection((host, port)) as client:
            head = f"POST /v1/ask HTTP/1.1\r\nhost: {host}\r\ncontent-length: {len(body)}\r\n\r\n"
            client.sendall(head.encode() + body)
            async with asyncio.timeout(20):
                await left.wait()
            async with httpx.AsyncClient(trust_env=False) as page:
                line = 'boardroom_requests_total{code="499",mode="parallel",route="/v1/ask"} 1.0'
                await until_counted(page, stand, line)


def test_a_client_that_reads_too_slowly_is_cut_off() -> None:
    box = buffer.EventBuffer()
    for _ in range(5):
        box.put(b"x" * (buffer.MAX_WAITING_BYTES // 4))
    assert box.is_overflowed
