"""Answers while they are being made: the chunks of OpenAI's completions."""

import asyncio

import pytest

from boardroom.coordinator.http import sse as buffer
from component.coordinator.standing_board import (
    ROLES,
    Board,
    agent,
    served,
    simulated_lorax,
    standing,
)
from component.coordinator.streams import ASKED, chunks, content
from component.engine.scripted_lorax import Call, ScriptedLorax, beside_probes, delta


async def test_a_completion_that_has_nothing_to_say_yet_has_a_sign_of_life_and_ends_where_its_client_leaves(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A board that deliberates says its reply in the end, after minutes perhaps."""
    monkeypatch.setattr(buffer, "HEARTBEAT_SECONDS", 0.05)
    left = asyncio.Event()

    @beside_probes
    async def think(call: Call) -> None:
        await call.client_leaves()
        left.set()

    body = {"model": "executive", "messages": ASKED, "stream": True}
    board.write(agent("CFO"), spec={"deliberation": {"defaultMode": "Consensus"}})
    async with served(ScriptedLorax(think)) as url, standing(board, url) as stand:
        await stand.wait_ready("CFO")
        async with stand.client.stream("POST", "/v1/chat/completions", json=body) as answer:
            first = await anext(answer.aiter_text())
        async with asyncio.timeout(20):
            await left.wait()
    assert (answer.status_code, first[:3]) == (200, ":\n\n")


async def test_a_completion_that_fails_after_a_long_silence_ends_with_an_error_event(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buffer, "HEARTBEAT_SECONDS", 0.05)

    @beside_probes
    async def fail_late(call: Call) -> None:
        await asyncio.sleep(0.3)
        await call.fail(424, "Request failed during generation: CUDA error", "generation")

    async with served(ScriptedLorax(fail_late)) as url, standing(board, url) as stand:
        await stand.wait_ready(*ROLES)
        [error] = await chunks(stand, model="executive/cfo")
    assert isinstance(error, dict)
    assert error["error"]["code"] == "not_enough_answers"
    assert "CUDA error" in error["error"]["members"][0]["reason"]


async def test_a_member_that_says_nothing_but_blanks_is_missing_from_a_streamed_completion_too(board: Board) -> None:
    async def blanks_of_the_cfo(call: Call) -> None:
        text = " \n" if "cfo" in call.adapter and not call.is_probe else "\nwe grow"
        if not call.body.get("stream"):
            await call.say(text)
            return
        await call.begin(200, "text/event-stream")
        await call.chunk(delta(text[:1]))
        await call.chunk(delta(text[1:], "stop"), last=True)

    board.write(agent("CFO"), agent("CTO"))
    async with served(ScriptedLorax(blanks_of_the_cfo)) as url, standing(board, url) as stand:
        await stand.wait_ready("CFO", "CTO")
        found = await chunks(stand)
        whole = (await stand.client.post("/v1/chat/completions", json={"model": "executive", "messages": ASKED})).json()
    last = found[-2]
    assert isinstance(last, dict)
    assert [(one["agent"], one["status"]) for one in last["boardroom"]["answers"]] == [
        ("cfo", "failed"),
        ("cto", "answered"),
    ]
    assert content(found) == whole["choices"][0]["message"]["content"] == "CTO: \nwe grow"


@pytest.mark.parametrize("mode", ["Parallel", "Sequential", "Hierarchical", "Collaborative", "Consensus"])
async def test_a_streamed_completion_of_the_board_is_its_whole_one(board: Board, mode: str) -> None:
    board.write(*(agent(role, tokens=400) for role in ROLES), spec={"deliberation": {"defaultMode": mode}})
    async with simulated_lorax() as (url, _), standing(board, url) as stand:
        await stand.wait_ready(*ROLES)
        found = await chunks(stand, stream_options={"include_usage": True})
        whole = (await stand.client.post("/v1/chat/completions", json={"model": "executive", "messages": ASKED})).json()
    assert found[-1] == "[DONE]"
    assert content(found) == whole["choices"][0]["message"]["content"]
    *pieces, last, usage, _done = found
    assert isinstance(last, dict)
    assert isinstance(usage, dict)
    assert (usage["choices"], usage["usage"]) == ([], whole["usage"])
    assert last["choices"][0]["finish_reason"] == whole["choices"][0]["finish_reason"]
    assert [a["text"] for a in last["boardroom"]["answers"]] == [a["text"] for a in whole["boardroom"]["answers"]]
    if mode in ("Parallel", "Hierarchical"):
        assert len(pieces) > 5


async def test_several_choices_of_one_agent_stream_side_by_side(board: Board) -> None:
    async with simulated_lorax() as (url, _), standing(board, url) as stand:
        await stand.wait_ready(*ROLES)
        asked = {"model": "executive/cfo", "n": 4, "temperature": 0.9, "seed": 5, "max_tokens": 200}
        found = await chunks(stand, **asked)
        whole = (await stand.client.post("/v1/chat/completions", json={"messages": ASKED} | asked)).json()
    texts = [choice["message"]["content"] for choice in whole["choices"]]
    assert [content(found, index) for index in range(4)] == texts
    assert len(set(texts)) > 1  # two seeds may choose the same words, four do not
