"""Bodies that OpenAI's clients and frameworks send to /v1/chat/completions, and what LoRAX or the caller must get."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio

from component.coordinator.standing_board import Board, Standing, agent, served, standing
from component.coordinator.streams import chunks, content
from component.engine.scripted_lorax import Call, ScriptedLorax, delta

USER = {"role": "user", "content": "And now?"}
BEFORE = {"role": "user", "content": "Shall we hire?"}
CALL = {"id": "call_1", "type": "function", "function": {"name": "search", "arguments": '{"q": "wages"}'}}
ABSENT: Any = object()


def asked(*texts: str) -> dict[str, Any]:
    """The user's and the assistant's words in turn, as LoRAX gets them."""
    return {"messages": [{"role": ("user", "assistant")[at % 2], "content": text} for at, text in enumerate(texts)]}


def after(*messages: dict[str, Any]) -> dict[str, Any]:
    """A chat with these messages after its first question."""
    return {"messages": [BEFORE, *messages]}


def assistant(content: Any, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content} | more


def result(of: str, content: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": of, "content": content}


@dataclass(frozen=True)
class Row:
    id: str
    sent: dict[str, Any]
    """Beside model and messages."""
    lorax: dict[str, Any] = field(default_factory=dict)
    """Of the body that LoRAX gets."""


@dataclass(frozen=True)
class Refused:
    id: str
    sent: dict[str, Any]
    param: str
    words: str


NO_FIELD = [
    "audio", "logprobs", "metadata", "moderation", "n", "prediction", "reasoning_effort", "response_format", "stop",
    "stream_options", "tool_choice", "tools", "top_k", "verbosity", "web_search_options",
]  # fmt: skip
NO_PART = {
    "prompt_cache_retention": "24h",
    "prompt_cache_options": {"mode": "x"},
    "store": False,
    "service_tier": "auto",
}
NULLS = {"name": None, "reasoning_content": None, "refusal": None, "tool_calls": None, "tool_call_id": None, "x": None}
SQL = {"id": "call_2", "type": "custom", "custom": {"name": "sql", "input": "SELECT 1"}}
SAID = '[call of search] {"q": "wages"}'

ROWS = [
    # null is as absent
    *(Row(f"{name} null", {name: None}, asked("And now?") | {name: ABSENT}) for name in NO_FIELD),
    Row("stream null", {"stream": None}, {"stream": False}),
    Row("nulls in messages", {"messages": [USER | NULLS]}, asked("And now?")),
    Row(
        "nulls in parts",
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "x", "cache_control": None}]}]},
        asked("x"),
    ),
    Row("nulls in options", {"response_format": {"type": "text", "json_schema": None}}, {"response_format": ABSENT}),
    Row("what has no part in an answer", NO_PART, asked("And now?")),
    # an assistant's message says what it says
    Row("an assistant without a word", after(assistant(None), USER), asked("Shall we hire?", "", "And now?")),
    Row("an assistant without a content", after({"role": "assistant"}, USER), asked("Shall we hire?", "", "And now?")),
    Row("an assistant's empty list", after(assistant([]), USER), asked("Shall we hire?", "", "And now?")),
    Row(
        "an assistant that refused",
        after(assistant(None, refusal="I can't say."), USER),
        asked("Shall we hire?", "I can't say.", "And now?"),
    ),
    Row(
        "a refusal as a part",
        after(assistant([{"type": "refusal", "refusal": "No."}]), USER),
        asked("Shall we hire?", "No.", "And now?"),
    ),
    Row(
        "an assistant that thought aloud",
        after(assistant("Yes.", reasoning_content="Hm.", annotations=[{"type": "url_citation"}]), USER),
        asked("Shall we hire?", "Yes.", "And now?"),
    ),
    # a chat that had tools elsewhere goes on
    Row(
        "a tool's call and its result",
        after(assistant(None, tool_calls=[CALL]), result("call_1", "up 4 %"), assistant("Wages are up."), USER),
        asked("Shall we hire?", SAID, "[result of search] up 4 %", "Wages are up.", "And now?"),
    ),
    Row(
        "two calls beside words, and their results last",
        after(
            assistant("I look it up.", tool_calls=[CALL, SQL]),
            result("call_2", [{"type": "text", "text": "1"}]),
            result("call_1", "up 4 %"),
        ),
        asked(
            "Shall we hire?",
            f"I look it up.\n{SAID}\n[call of sql] SELECT 1",
            "[result of sql] 1\n\n[result of search] up 4 %",
        ),
    ),
    Row("a result of an unknown call", after(result("x", "4")), asked("Shall we hire?\n\n[result of tool] 4")),
    Row(
        "a function's call and its result",
        after(
            assistant(None, function_call={"name": "search", "arguments": "{}"}),
            {"role": "function", "name": "search", "content": "4"},
            USER,
        ),
        asked("Shall we hire?", "[call of search] {}", "[result of search] 4\n\nAnd now?"),
    ),
    # sampling: 0 is greedy whatever stands beside it, and every seed of OpenAI's range is one
    Row("greedy with a top_p", {"temperature": 0, "top_p": 0.5, "seed": 1}, {"temperature": 0, "top_p": ABSENT}),
    Row("a top_p without a temperature", {"top_p": 0.5}, {"temperature": 0, "top_p": ABSENT}),
    Row("what float16 takes for 0", {"temperature": 1e-8, "top_p": 0.9}, {"temperature": 0, "top_p": ABSENT}),
    Row("the least temperature", {"temperature": 0.01, "top_p": 0.9}, {"temperature": 0.01, "top_p": 0.9}),
    Row("a seed below 0", {"temperature": 1, "seed": -1}, {"seed": 2**64 - 1}),
    Row("the least seed", {"temperature": 1, "seed": -(2**63)}, {"seed": 2**63}),
    Row("the greatest seed", {"temperature": 1, "seed": 2**63 - 1}, {"seed": 2**63 - 1}),
]

REFUSED = [
    Refused(
        "a user without a word",
        {"messages": [USER | {"content": None}]},
        "messages.0",
        "a user message needs a content",
    ),
    Refused("a result without a word", after(result("x", None)), "messages.1", "a tool message needs a content"),
    Refused(
        "a part without its text", after(USER | {"content": [{"type": "text"}]}), "messages.1.content.0", "needs text"
    ),
    Refused(
        "a call of nothing",
        after(assistant(None, tool_calls=[{"id": "1"}]), USER),
        "messages.1.tool_calls.0",
        "needs function {name, arguments}",
    ),
    Refused("an assistant's voice", after(assistant(None, audio={"id": "a"}), USER), "messages.1.audio", "None"),
    Refused("a call that has the last word", after(assistant(None, tool_calls=[CALL])), "messages", "or a tool's"),
    Refused("a seed beyond 64 bits", {"seed": 2**63}, "seed", "less than"),
    Refused("a seed far below", {"seed": -(2**63) - 1}, "seed", "greater than"),
    Refused("reasoning", {"reasoning_effort": "high"}, "reasoning_effort", "not permitted"),
]

TOLD = ["Our gro", "ss mar", "gin and", " so on"]
"""What the member says, in the pieces in which LoRAX streams it."""
STOPS: list[tuple[str, Any, str, str]] = [
    ("none", None, "Our gross margin and so on", "length"),
    ("one text", "margin", "Our gross ", "stop"),
    ("a list", ["margin"], "Our gross ", "stop"),
    ("within a piece", ["an"], "Our gross margin ", "stop"),
    ("over three pieces", ["oss margin a"], "Our gr", "stop"),
    ("the last words", ["so on"], "Our gross margin and ", "stop"),
    ("which only begins", ["margins", "on and on"], "Our gross margin and so on", "length"),
    ("of which one is whole first", ["gross margin and", "margin"], "Our gross ", "stop"),
    ("of which both end at once", ["gin", "margin"], "Our gross ", "stop"),
]


async def told(call: Call) -> None:
    """All of TOLD, up to the limit of its tokens: LoRAX heeds a stop sequence only where a token ends with it."""
    if not call.body.get("stream"):
        await call.say("".join(TOLD), "length")
        return
    await call.begin(200, "text/event-stream")
    for piece in TOLD[:-1]:
        await call.chunk(delta(piece))
    await call.chunk(delta(TOLD[-1], "length"), last=True)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stand(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Standing, ScriptedLorax]]:
    board = Board(tmp_path_factory.mktemp("board"))
    board.write(agent("CFO", adapter={"none": True}))
    lorax = ScriptedLorax(told)
    async with served(lorax) as url, standing(board, url) as found:
        yield found, lorax


def body_of(sent: dict[str, Any]) -> dict[str, Any]:
    return {"model": "executive/cfo", "messages": [USER]} | sent


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
async def test_a_body_reaches_lorax_as_it_must(stand: tuple[Standing, ScriptedLorax], row: Row) -> None:
    standing_, lorax = stand
    lorax.calls.clear()
    response = await standing_.client.post("/v1/chat/completions", json=body_of(row.sent))
    assert response.status_code == 200, response.text
    [body] = [call.body for call in lorax.calls if not call.is_probe]
    assert {name: body.get(name, ABSENT) for name in row.lorax} == row.lorax


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row.id)
async def test_a_body_is_refused_by_its_field(stand: tuple[Standing, ScriptedLorax], row: Refused) -> None:
    response = await stand[0].client.post("/v1/chat/completions", json=body_of(row.sent))
    error = response.json()["error"]
    assert (response.status_code, error["type"], error["param"]) == (400, "invalid_request_error", row.param)
    assert row.words in error["message"]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("stop", "text", "reason"), [row[1:] for row in STOPS], ids=[row[0] for row in STOPS])
async def test_a_content_ends_before_its_stop_sequence(
    stand: tuple[Standing, ScriptedLorax], stop: Any, text: str, reason: str
) -> None:
    """In a whole answer, in a stream, and at our own route, with the tokens that LoRAX counted."""
    client, sent = stand[0].client, body_of({"stop": stop})
    whole = (await client.post("/v1/chat/completions", json=sent)).json()
    streamed = await chunks(stand[0], **sent)
    listed = [stop] if isinstance(stop, str) else stop
    own = (await client.post("/v1/ask", json={"user_input": "x", "parameters": {"stop": listed}})).json()
    [choice] = whole["choices"]
    last = streamed[-2]
    assert isinstance(last, dict)
    [answer], [spoken] = own["answers"], last["boardroom"]["answers"]
    assert [choice["message"]["content"], content(streamed), answer["text"], spoken["text"]] == [text] * 4
    assert [choice["finish_reason"], last["choices"][0]["finish_reason"], answer["finish_reason"]] == [reason] * 3
    assert whole["usage"]["completion_tokens"] == own["usage"]["completion_tokens"] == 3
