"""`response_format`: which routes follow it, and what is refused; test_document.py has what comes out."""

import json
from typing import Any

import pytest

from unit.simulator.simulation import chat, post

PROPERTIES = {"vote": {"enum": ["yes", "no"]}, "why": {"type": "string"}}
VOTE = {"type": "object", "properties": PROPERTIES}


@pytest.mark.parametrize(
    "wanted",
    [
        {"type": "json_schema", "json_schema": {"name": "vote", "schema": VOTE}},
        {"type": "json_object", "schema": VOTE},
    ],
)
async def test_a_chat_follows_its_response_format(wanted: dict[str, Any]) -> None:
    choice = (await post("/v1/chat/completions", chat(response_format=wanted))).json()["choices"][0]
    answer = json.loads(choice["message"]["content"])
    assert (answer.keys(), answer["vote"] in {"yes", "no"}, choice["finish_reason"]) == (
        PROPERTIES.keys(),
        True,
        "stop",
    )


@pytest.mark.parametrize("wanted", [{"type": "json_object"}, {"type": "json_schema"}])
async def test_a_format_without_a_schema_is_any_object(wanted: dict[str, Any]) -> None:
    content = (await post("/v1/chat/completions", chat(response_format=wanted))).json()["choices"][0]["message"][
        "content"
    ]
    assert isinstance(json.loads(content), dict)


async def test_a_chat_of_type_text_is_free() -> None:
    answer = (await post("/v1/chat/completions", chat(response_format={"type": "text", "schema": VOTE}))).json()
    assert answer["choices"][0]["message"]["content"].startswith("[simulated")


@pytest.mark.parametrize("kind", ["text", "json_object", "json_schema", "JsonSchema"])
async def test_a_native_route_follows_the_schema_whatever_the_type(kind: str) -> None:
    parameters = {"max_new_tokens": 300, "response_format": {"type": kind, "schema": VOTE}}
    answer = (await post("/generate", {"inputs": "Why?", "parameters": parameters})).json()
    assert json.loads(answer["generated_text"]).keys() == PROPERTIES.keys()


async def test_a_native_format_with_null_for_a_schema_is_free() -> None:
    parameters = {"max_new_tokens": 300, "response_format": {"type": "json_object", "schema": None}}
    answer = (await post("/generate", {"inputs": "Why?", "parameters": parameters})).json()
    assert answer["generated_text"].startswith("[simulated")


async def test_a_completion_ignores_response_format() -> None:
    body = {"model": "", "prompt": "Why?", "max_tokens": 9, "response_format": "nonsense"}
    assert (await post("/v1/completions", body)).json()["choices"][0]["text"].startswith("[simulated")


async def test_an_unknown_type_of_format_is_refused_in_plain_text() -> None:
    response = await post("/v1/chat/completions", chat(response_format={"type": "yaml"}))
    assert (response.status_code, response.text) == (
        422,
        (
            "Failed to deserialize the JSON body into the target type: response_format.type: unknown variant `yaml`, "
            "expected one of `Text`, `JsonObject`, `JsonSchema` at line 1 column 152"
        ),
    )


async def test_a_json_schema_needs_its_name() -> None:
    wanted = {"type": "json_schema", "json_schema": {"schema": VOTE}}
    response = await post("/v1/chat/completions", chat(response_format=wanted))
    assert (response.status_code, "response_format.json_schema: missing field `name`" in response.text) == (422, True)


async def test_format_and_tools_exclude_each_other() -> None:
    response = await post("/v1/chat/completions", chat(response_format={"type": "json_object"}, tools=[]))
    expected = {"error": "Tool error: Response format and tools are mutually exclusive", "error_type": "tool_error"}
    assert (response.status_code, response.json()) == (422, expected)


async def test_a_schema_that_can_not_be_followed_is_a_generation_error() -> None:
    parameters = {
        "max_new_tokens": 9,
        "response_format": {"type": "json_schema", "schema": {"type": "string", "format": "email"}},
    }
    response = await post("/generate", {"inputs": "Why?", "parameters": parameters})
    assert (response.status_code, response.json()) == (
        424,
        {
            "error": "Request failed during generation: Server error: Format email is not supported by Outlines",
            "error_type": "generation",
        },
    )
