"""conv_id: every member goes on from what it said itself, through real HTTP."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest

from component.coordinator.standing_board import Board, Standing, agent, by_role, served, standing, until
from component.engine.scripted_lorax import Call, ScriptedLorax

Spoken = list[tuple[str, str]]


class Members:
    """LoRAX, where each adapter says its own name and how many of its own answers it was given."""

    def __init__(self) -> None:
        self.heard: dict[str, list[Spoken]] = {}
        self.silent: set[str] = set()
        self.held: asyncio.Event | None = None

    async def __call__(self, call: Call) -> None:
        if call.is_probe:
            return await call.say("I am here")
        name = call.adapter.rpartition("/")[2].removesuffix("_lora_adapter")
        messages = [(m["role"], m["content"]) for m in call.body["messages"]]
        self.heard.setdefault(name, []).append(messages)
        if self.held is not None:
            await self.held.wait()
        if name in self.silent:
            return await call.fail(422, "Input validation error: no", "validation")
        return await call.say(f"{name} {len([role for role, _ in messages if role == 'assistant'])}")


@contextlib.asynccontextmanager
async def talking(
    board: Board, *agents: dict[str, Any], **conversations: int
) -> AsyncIterator[tuple[Standing, Members]]:
    members = Members()
    board.write(*(agents or (agent("CEO"), agent("CFO"))), spec={"coordinator": {"conversations": conversations}})
    async with served(ScriptedLorax(members)) as url, standing(board, url) as stand:
        yield stand, members


def texts(answer: dict[str, Any]) -> dict[str, str | None]:
    return {role: said["text"] for role, said in by_role(answer).items()}


async def test_each_member_is_given_its_own_answers_and_nobody_elses(board: Board) -> None:
    async with talking(board) as (stand, members):
        await stand.answer(conv_id="c", user_input="One?")
        second = await stand.answer(conv_id="c", user_input="Two?")
        assert stand.coordinator.metrics.registry.get_sample_value("boardroom_conversations") == 1
    assert (second["conv_id"], texts(second)) == ("c", {"CEO": "ceo 1", "CFO": "cfo 1"})
    for name in ("ceo", "cfo"):
        assert members.heard[name][1] == [("user", "One?"), ("assistant", f"{name} 0"), ("user", "Two?")]


@pytest.mark.parametrize("conv_id", [None, "another"])
async def test_other_conversations_and_questions_without_one_know_nothing_of_it(
    board: Board, conv_id: str | None
) -> None:
    async with talking(board) as (stand, _):
        await stand.answer(conv_id="c")
        answer = await stand.answer(conv_id=conv_id)
    assert (answer["conv_id"], texts(answer)) == (conv_id, {"CEO": "ceo 0", "CFO": "cfo 0"})


async def test_a_streamed_answer_is_remembered_like_a_whole_one(board: Board) -> None:
    async def say(call: Call) -> None:
        if call.body.get("stream"):
            await call.begin(200, "text/event-stream")
            choice = {"index": 0, "delta": {"role": "assistant", "content": "streamed"}, "finish_reason": "stop"}
            usage = {"prompt_tokens": 7, "completion_tokens": 1, "total_tokens": 8}
            chunk = {"id": "null", "object": "chat.completion.chunk", "choices": [choice], "usage": usage}
            await call.chunk(b"data:" + orjson.dumps(chunk) + b"\n\n")
            await call.chunk(b"data: [DONE]\n\n", last=True)
        else:
            await call.say("whole")

    board.write(agent("CEO"))
    async with served(ScriptedLorax(say)) as url, standing(board, url) as stand:
        streamed = await stand.ask(conv_id="c", stream=True)
        found = (await stand.client.get("/v1/conversations/c")).json()
    assert b"event: result" in streamed.content
    assert [turn["answered"] for turn in found["members"][0]["turns"]] == ["streamed"]


async def test_a_member_that_gave_no_answer_has_no_turn_of_it(board: Board) -> None:
    async with talking(board) as (stand, members):
        members.silent = {"cfo"}
        await stand.answer(conv_id="c")
        members.silent = set()
        answer = await stand.answer(conv_id="c")
    assert texts(answer) == {"CEO": "ceo 1", "CFO": "cfo 0"}


async def test_a_question_that_fails_leaves_nothing(board: Board) -> None:
    async with talking(board) as (stand, members):
        members.silent = {"cfo"}
        refused = await stand.ask(conv_id="c", min_successful=2)
        found = await stand.client.get("/v1/conversations/c")
    assert (refused.status_code, found.status_code) == (503, 404)


async def test_the_oldest_turns_go_first_and_the_answers_after_that_say_so(board: Board) -> None:
    async with talking(board, agent("CEO"), maxTurns=2) as (stand, members):
        answers = [await stand.answer(conv_id="c", user_input=f"{n}?") for n in range(4)]
    assert [role + text for role, text in members.heard["ceo"][3] if role == "user"] == ["user1?", "user2?", "user3?"]
    assert [bool(answer["warnings"]) for answer in answers] == [False, False, False, True]
    assert answers[3]["warnings"][0].endswith("maxTokens): CEO (ceo) 1")


async def test_turns_are_cut_to_the_tokens_and_one_too_long_is_not_kept(board: Board) -> None:
    """A question counts a third of its bytes, the answer 3 tokens, which LoRAX counted."""
    async with talking(board, agent("CEO"), maxTokens=100) as (stand, members):
        for question in ("a" * 141, "b" * 141, "c" * 294, "d"):
            await stand.answer(conv_id="c", user_input=question)
        await stand.answer(conv_id="c", user_input="e" * 276)
        await stand.answer(conv_id="c", user_input="f")
        kept = (await stand.client.get("/v1/conversations/c")).json()
    asked = [[text[0] for role, text in messages if role == "user"] for messages in members.heard["ceo"]]
    assert asked == [["a"], ["a", "b"], ["a", "b", "c"], ["d"], ["d", "e"], ["d", "e", "f"]]
    assert [turn["tokens"] for turn in kept["members"][0]["turns"]] == [95, 4]


async def test_a_letter_of_three_bytes_counts_as_a_token(board: Board) -> None:
    async with talking(board, agent("CEO")) as (stand, _):
        await stand.answer(conv_id="c", user_input="雇うべきか")
        kept = (await stand.client.get("/v1/conversations/c")).json()
    assert [turn["tokens"] for turn in kept["members"][0]["turns"]] == [5 + 3]


async def test_two_questions_at_once_are_one_and_a_conflict_and_the_second_can_be_asked_again(board: Board) -> None:
    async with talking(board) as (stand, members):
        members.held = asyncio.Event()
        first = asyncio.create_task(stand.answer(conv_id="c"))
        await until(lambda: "ceo" in members.heard)
        refused = await stand.ask(conv_id="c")
        undeleted = await stand.client.delete("/v1/conversations/c")
        members.held.set()
        await first
        answer = await stand.answer(conv_id="c")
    for response in (refused, undeleted):
        found = (response.status_code, response.json()["error"]["code"], response.headers["retry-after"])
        assert found == (409, "conversation_busy", "1")
    assert texts(answer) == {"CEO": "ceo 1", "CFO": "cfo 1"}


async def test_a_conversation_can_be_read_with_the_weights_that_spoke(board: Board) -> None:
    async with talking(board) as (stand, _):
        answer = await stand.answer(conv_id="a/b c", agents=["cfo"], user_input="One?")
        found = (await stand.client.get("/v1/conversations/a%2Fb%20c")).json()
    said = by_role(answer)["CFO"]
    turn = {
        "request_id": answer["request_id"],
        "asked": "One?",
        "answered": "cfo 0",
        "engine": "lorax",
        "adapter": said["adapter"],
        "tokens": 2 + 3,
    }
    thread = {"agent": "cfo", "role": "CFO", "uid": "", "forgotten": 0, "turns": [turn]}
    assert found == {"conv_id": "a/b c", "members": [thread]}
    assert said["adapter"]["digest"].startswith("sha256:")


async def test_a_deleted_conversation_is_unknown_and_starts_anew(board: Board) -> None:
    async with talking(board) as (stand, _):
        await stand.answer(conv_id="c")
        deleted = await stand.client.delete("/v1/conversations/c")
        again: list[httpx.Response] = [
            await stand.client.delete("/v1/conversations/c"),
            await stand.client.get("/v1/conversations/c"),
        ]
        answer = await stand.answer(conv_id="c")
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert [(r.status_code, r.json()["error"]["code"]) for r in again] == [(404, "unknown_conversation")] * 2
    assert texts(answer) == {"CEO": "ceo 0", "CFO": "cfo 0"}


async def test_a_member_made_anew_starts_anew(board: Board) -> None:
    def made(uid: str) -> dict[str, Any]:
        found = agent("CFO")
        return found | {"metadata": found["metadata"] | {"uid": uid}}

    async with talking(board, agent("CEO"), made("1")) as (stand, _):
        await stand.answer(conv_id="c")
        board.write(agent("CEO"), made("2"))
        await until(lambda: (roster := stand.coordinator.roster) and [m.uid for m in roster.members] == ["", "2"])
        answer = await stand.answer(conv_id="c")
    assert texts(answer) == {"CEO": "ceo 1", "CFO": "cfo 0"}
