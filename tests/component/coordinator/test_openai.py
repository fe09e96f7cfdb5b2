"""The OpenAI door, through the real openai client where that is installed, and bodies that it would never send."""

import ast
import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from boardroom.coordinator.http.app import create_app
from boardroom.coordinator.main import Options, standalone
from boardroom.simulator.model_server.signature import signature
from component.conformance.clients_under_test import Session
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
)
from component.coordinator.streams import ASKED
from component.coordinator.test_app_fuzzed import JSON, encoded
from component.engine.scripted_lorax import Call, ScriptedLorax


@pytest.fixture(scope="module")
def openai_client() -> Iterator[Session]:
    with Session("openai") as session:
        yield session


async def chat(client: Session, stand: Standing, **fields: Any) -> Any:
    """What the client returns, or the class, status and body of what it raises."""
    url = str(stand.client.base_url).rstrip("/")
    body = {"model": "executive", "messages": ASKED} | fields
    return await asyncio.to_thread(client.call, url, "chat", **body)


async def say_i(call: Call) -> None:
    await call.say(f"I am {call.adapter.rpartition('/')[2].partition('_')[0]}")


def sent(lorax: ScriptedLorax) -> list[dict[str, Any]]:
    return [call.body for call in lorax.calls if not call.is_probe]


async def test_the_models_are_the_board_and_each_member(board: Board, openai_client: Session) -> None:
    async with served(ScriptedLorax(say_i)) as url, standing(board, url) as stand:
        base = str(stand.client.base_url).rstrip("/")
        found = await asyncio.to_thread(openai_client.call, base, "models")
        one = (await stand.client.get("/v1/models/executive/cfo")).json()
        by_role_ = (await stand.client.get("/v1/models/executive/CFO")).json()
        missing = await stand.client.get("/v1/models/executive/janitor")
    assert [m["id"] for m in found["data"]] == ["executive", *(f"executive/{name}" for name in NAMES)]
    assert one.items() <= next(m for m in found["data"] if m["id"] == "executive/cfo").items()
    assert by_role_ == one | {"id": "executive/CFO"}
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "model_not_found")


@pytest.mark.parametrize("model", ["executive/cfo", "executive/CFO"])
async def test_one_agent_answers_with_its_own_adapter(board: Board, openai_client: Session, model: str) -> None:
    async with simulated_lorax() as (url, _), standing(board, url) as stand:
        found = await chat(openai_client, stand, model=model, max_tokens=40)
    [spoke] = found["boardroom"]["answers"]
    [choice] = found["choices"]
    assert signature(SALT, MODEL, spoke["adapter"]["path"], spoke["adapter"]["digest"]) in choice["message"]["content"]
    assert (spoke["role"], found["model"], found["object"]) == ("CFO", model, "chat.completion")
    assert (choice["finish_reason"], choice["message"]["role"]) == ("length", "assistant")
    assert found["usage"]["completion_tokens"] == 40
    assert found["id"] == f"chatcmpl-{found['boardroom']['request_id']}"


async def test_the_board_answers_in_its_default_mode_with_who_spoke_beside(
    board: Board, openai_client: Session
) -> None:
    board.write(*(agent(role) for role in ROLES), spec={"deliberation": {"defaultMode": "Hierarchical"}})
    async with served(ScriptedLorax(say_i)) as url, standing(board, url) as stand:
        found = await chat(openai_client, stand)
    assert found["choices"][0]["message"]["content"] == "I am ceo"
    assert found["choices"][0]["finish_reason"] == "stop"
    assert {role: a["text"] for role, a in by_role(found["boardroom"]).items()} == {
        role: f"I am {role.lower()}" for role in ROLES
    }
    assert (found["boardroom"]["chair"], found["boardroom"]["coordination_mode"]) == ("ceo", "hierarchical")


async def test_system_prompts_join_and_history_goes_along_in_turns(board: Board, openai_client: Session) -> None:
    board.write(agent("CFO", systemPrompt="You are the CFO."))
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello"},
        {"role": "user", "content": [{"type": "text", "text": "Shall we "}, {"type": "text", "text": "hire?"}]},
        {"role": "assistant", "content": "No.", "refusal": None},
        {"role": "developer", "content": "In French."},
        {"role": "user", "content": "Why?"},
    ]
    lorax = ScriptedLorax(say_i)
    async with served(lorax) as url, standing(board, url) as stand:
        await chat(openai_client, stand, model="executive/cfo", messages=messages)
    assert [body["messages"] for body in sent(lorax)] == [
        [
            {"role": "system", "content": "You are the CFO.\n\nBe brief.\n\nIn French."},
            {"role": "user", "content": "Hello\n\nShall we hire?"},
            {"role": "assistant", "content": "No."},
            {"role": "user", "content": "Why?"},
        ]
    ]


async def test_a_greeting_by_the_assistant_comes_before_the_first_question(
    board: Board, openai_client: Session
) -> None:
    """As chat pages begin; what a client has from elsewhere may name no tool calls."""
    greeting = {"role": "assistant", "content": "How can I help?", "tool_calls": [], "annotations": []}
    lorax = ScriptedLorax(say_i)
    async with served(lorax) as url, standing(board, url) as stand:
        await chat(openai_client, stand, model="executive/cfo", messages=[greeting, *ASKED])
    assert [body["messages"] for body in sent(lorax)] == [
        [
            {"role": "user", "content": ""},
            {"role": "assistant", "content": "How can I help?"},
            {"role": "user", "content": "And now?"},
        ]
    ]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {"max_tokens": 48, "temperature": 0}),
        ({"max_tokens": 5}, {"max_tokens": 5}),
        ({"max_tokens": 5, "max_completion_tokens": 6}, {"max_tokens": 6}),
        (
            {"temperature": 0.5, "top_p": 0.9, "seed": 3, "stop": "END"},
            {"temperature": 0.5, "top_p": 0.9, "seed": 3, "stop": ["END"]},
        ),
        ({"stop": ["A", "B"]}, {"stop": ["A", "B"]}),
        ({"n": 1, "stream": False, "user": "me", "tools": [], "response_format": {"type": "text"}}, {}),
    ],
)
async def test_parameters_reach_lorax(
    board: Board, openai_client: Session, fields: dict[str, Any], expected: dict[str, Any]
) -> None:
    lorax = ScriptedLorax(say_i)
    async with served(lorax) as url, standing(board, url) as stand:
        await chat(openai_client, stand, model="executive/cfo", **fields)
    [body] = sent(lorax)
    assert {name: body.get(name) for name in expected} == expected


TOOL = {"type": "function", "function": {"name": "search", "parameters": {"type": "object"}}}


@pytest.mark.parametrize("offer", [{"tools": [TOOL]}, {"tools": [TOOL], "tool_choice": "auto"}])
async def test_tools_may_be_offered_and_the_answer_says_that_none_was_called(
    board: Board, openai_client: Session, offer: dict[str, Any]
) -> None:
    lorax = ScriptedLorax(say_i)
    async with served(lorax) as url, standing(board, url) as stand:
        answer = await chat(openai_client, stand, model="executive/cfo", **offer)
        unoffered = await chat(openai_client, stand, model="executive/cfo", tools=[])
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["boardroom"]["warnings"] == ["tools: members answer in words; none of the tools offered was called"]
    assert unoffered["boardroom"]["warnings"] == []
    assert not [body for body in sent(lorax) if "tools" in body]


Refusal = tuple[int, str, str]
REFUSED: list[tuple[dict[str, Any], Refusal]] = [
    ({"model": "gpt-4o"}, (404, "model", "the models are executive, executive/ceo")),
    ({"model": "executive/"}, (404, "model", "no model")),
    ({"stream_options": {"include_usage": True}}, (400, "stream_options", "goes with stream")),
    ({"n": 2}, (400, "n", "ask one agent")),
    ({"model": "executive/cfo", "n": 9}, (400, "n", "less than")),
    ({"response_format": {"type": "yaml"}}, (400, "response_format.type", "json_object")),
    ({"response_format": {"type": "json_schema"}}, (400, "response_format", "needs json_schema")),
    ({"tools": ["search"]}, (400, "tools.0", "dictionary")),
    ({"tools": [{}] * 513}, (400, "tools", "at most 512")),
    ({"tools": [TOOL], "tool_choice": "required"}, (400, "tool_choice", "not supported")),
    ({"tools": [TOOL], "tool_choice": {"type": "function"}}, (400, "tool_choice", "not supported")),
    ({"logprobs": True}, (400, "logprobs", "not supported")),
    ({"presence_penalty": 1}, (400, "presence_penalty", "not supported")),
    ({"colour": "red"}, (400, "colour", "not permitted")),
    ({"temperature": 3}, (400, "temperature", "less than")),
    ({"stop": list("abcde")}, (400, "stop", "at most 4")),
    ({"messages": []}, (400, "messages", "at least 1")),
    ({"messages": ASKED * 513}, (400, "messages", "at most 512")),
    ({"messages": [{"role": "user", "content": "x" * 65_537}]}, (413, "messages", "65536")),
    (
        {"messages": [{"role": "system", "content": "x" * 262_144}, *ASKED]},
        (413, "messages", "more than 262144 characters"),
    ),
    ({"messages": [{"role": "user", "content": " "}]}, (400, "messages", "blank")),
    ({"messages": [{"role": "system", "content": "x"}]}, (400, "messages", "the user's")),
    (
        {"messages": [{"role": "assistant", "content": "x", "tool_calls": [{"id": "1"}] * 513}, *ASKED]},
        (400, "messages.0.tool_calls", "at most 512"),
    ),
    ({"messages": [*ASKED, {"role": "assistant", "content": "x"}]}, (400, "messages", "user's")),
    ({"messages": [{"role": "critic", "content": "x"}]}, (400, "messages.0.role", "system")),
    (
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
        (400, "messages.0.content", "text"),
    ),
]


@pytest.mark.parametrize(("fields", "refusal"), REFUSED)
async def test_what_can_not_be_honoured_is_refused_in_openais_shape(
    board: Board, fields: dict[str, Any], refusal: Refusal
) -> None:
    status, param, words = refusal
    response = await post_without_lorax(board, orjson.dumps({"model": "executive", "messages": ASKED} | fields))
    error = response.json()["error"]
    assert (response.status_code, error["type"]) == (status, "invalid_request_error")
    assert error["param"].startswith(param)
    assert words in error["message"]


@pytest.mark.parametrize(
    ("fields", "raised"), [({"model": "gpt-4o"}, ["NotFoundError", 404]), ({"n": 2}, ["BadRequestError", 400])]
)
async def test_the_client_raises_its_own_errors(
    board: Board, openai_client: Session, fields: dict[str, Any], raised: list[Any]
) -> None:
    lorax = ScriptedLorax(say_i)
    async with served(lorax) as url, standing(board, url) as stand:
        found = await chat(openai_client, stand, **fields)
    assert found[:2] == raised
    assert sent(lorax) == []


async def post_without_lorax(board: Board, body: bytes) -> httpx.Response:
    app = create_app(standalone(Options(file=board.file), board.file))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://board") as client:
        return await client.post("/v1/chat/completions", content=body, headers={"content-type": "application/json"})


@pytest.mark.parametrize(
    ("failure", "raised", "kind"),
    [
        ((422, "Input validation error: too long", "validation"), ["BadRequestError", 400], "question_refused"),
        (
            (424, "Request failed during generation: oh", "generation"),
            ["InternalServerError", 503],
            "not_enough_answers",
        ),
    ],
)
async def test_a_member_that_can_not_answer_is_an_error_with_its_reason(
    board: Board, openai_client: Session, failure: tuple[int, str, str], raised: list[Any], kind: str
) -> None:
    async def broken(call: Call) -> None:
        await (call.say("yes") if call.is_probe else call.fail(*failure))

    board.write(agent("CFO"))
    async with served(ScriptedLorax(broken)) as url, standing(board, url) as stand:
        found = await chat(openai_client, stand, model="executive/cfo")
    assert found[:2] == raised
    error = ast.literal_eval(found[2])
    assert error["code"] == kind
    assert failure[1] in error["message"]
    assert failure[1] in error["members"][0]["reason"]


@pytest.mark.parametrize("how", ["chat", "chat_async"])
async def test_the_client_goes_on_with_a_chat_that_had_tools_and_stops_where_it_says(
    board: Board, openai_client: Session, how: str
) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "search", "arguments": "{}"}}
    before = [*ASKED, {"role": "assistant", "content": None, "tool_calls": [call], "audio": None}]
    fields: dict[str, Any] = {
        "messages": [*before, {"role": "tool", "tool_call_id": "1", "content": "4"}, *ASKED],
        "stop": ["am c"],
        "seed": -1,
        "reasoning_effort": None,
    }
    lorax = ScriptedLorax(say_i)
    async with served(lorax) as url, standing(board, url) as stand:
        base = str(stand.client.base_url).rstrip("/")
        found = await asyncio.to_thread(openai_client.call, base, how, model="executive/cfo", **fields)
    assert (found["choices"][0]["message"]["content"], found["choices"][0]["finish_reason"]) == ("I ", "stop")
    assert [message["content"] for message in sent(lorax)[0]["messages"]] == [
        "And now?",
        "[call of search] {}",
        "[result of search] 4\n\nAnd now?",
    ]


FIELDS = {
    "model": st.sampled_from(["executive", "executive/ceo", "x"]),
    "messages": st.lists(
        st.fixed_dictionaries(
            {"role": st.sampled_from(["system", "user", "assistant"]), "content": st.text(max_size=5) | JSON}
        ),
        max_size=4,
    ),
    "n": st.integers(0, 2),
    "stream": st.booleans(),
    "stop": st.text(max_size=3) | st.lists(st.text(max_size=3), max_size=5),
    "seed": st.integers(-1, 2**64 - 1),
    "max_tokens": st.integers(-1, 9),
}
BODIES = st.fixed_dictionaries({}, optional={k: v | JSON for k, v in FIELDS.items()}) | JSON


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=300)
@given(BODIES.map(encoded) | st.binary(max_size=60))
@example(b'{"model": "executive", "messages": [{"role": "user", "content": "\\ud800"}]}')
@example(b'{"model": "executive", "messages": [{"role": "user", "content": "x"}], "stop": ""}')
async def test_any_body_gets_a_refusal_in_openais_shape(board: Board, body: bytes) -> None:
    response = await post_without_lorax(board, body)
    error = response.json()["error"]
    assert response.status_code in {400, 404, 503}
    assert {"message", "type", "param", "code"} <= error.keys()


async def test_a_schema_reaches_lorax_and_the_answer_satisfies_it(board: Board) -> None:
    schema = {
        "type": "object",
        "properties": {"go": {"type": "boolean"}},
        "required": ["go"],
        "additionalProperties": False,
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "verdict", "schema": schema, "strict": True}}
    body = {"model": "executive/cfo", "messages": ASKED, "response_format": wanted, "max_tokens": 200}
    async with simulated_lorax() as (url, _), standing(board, url) as stand:
        found = (await stand.client.post("/v1/chat/completions", json=body)).json()
    assert set(orjson.loads(found["choices"][0]["message"]["content"])) == {"go"}
