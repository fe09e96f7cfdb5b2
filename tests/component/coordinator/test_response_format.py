"""A schema for answers, at the door: what an engine must not be sent is the caller's error, and nobody is asked."""

import asyncio
from typing import Any

import httpx
import orjson
import pytest

from boardroom.engine.lorax.schema_subset import subset
from component.conformance.clients_under_test import Session
from component.coordinator.standing_board import ROLES, Board, Standing, served, simulated_lorax, standing
from component.coordinator.streams import ASKED
from component.coordinator.test_dispatch_standard_inference import with_standard
from component.coordinator.test_openai import openai_client, say_i, sent  # noqa: F401 (a fixture)
from component.engine.scripted_lorax import Call, ScriptedLorax
from tried.test_schemas import Optionals

EMAIL = {"type": "object", "properties": {"when": {"type": "string", "format": "email"}}, "required": ["when"]}
FIELD = "response_format.json_schema.schema.properties.when.format"


def formatted(schema: Any, **fields: Any) -> dict[str, Any]:
    wanted = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    return {"model": "executive", "messages": ASKED, "response_format": wanted} | fields


async def ask(stand: Standing, body: dict[str, Any]) -> httpx.Response:
    return await stand.client.post("/v1/chat/completions", json=body)


def refusal(response: httpx.Response) -> tuple[int, str, str]:
    error = response.json()["error"]
    assert error["message"].startswith(f"{error['param']}: ")
    return response.status_code, error["code"], error["param"]


@pytest.mark.parametrize(
    "fields", [{}, {"model": "executive/cfo"}, {"stream": True}, {"model": "executive/cfo", "n": 3}]
)
async def test_what_lorax_refuses_is_the_callers_error_and_is_not_sent(board: Board, fields: dict[str, Any]) -> None:
    lorax = ScriptedLorax(say_i)
    async with served(lorax) as url, standing(board, url) as stand:
        found = refusal(await ask(stand, formatted(EMAIL, **fields)))
    assert (found, sent(lorax)) == ((400, "invalid_request", FIELD), [])


@pytest.mark.parametrize("up", [True, False])
async def test_so_it_is_where_standard_inference_stands_beside_lorax(board: Board, up: bool) -> None:
    async with (
        served(ScriptedLorax(say_i)) as url,
        with_standard(board, url if up else "http://127.0.0.1:9") as (stand, standard),
    ):
        assert refusal(await ask(stand, formatted(EMAIL))) == (400, "invalid_request", FIELD)
    assert standard.calls == []


async def test_a_board_without_lorax_sends_it_as_it_was_asked_for(board: Board) -> None:
    async with with_standard(board, None) as (stand, standard):
        response = await ask(stand, formatted(EMAIL, model="executive/cfo"))
    [call] = standard.calls
    assert (response.status_code, call.body["response_format"]["json_schema"]["schema"]) == (200, EMAIL)


async def test_a_schema_without_end_is_refused_for_standard_inference_too(board: Board) -> None:
    async with with_standard(board, None) as (stand, standard):
        response = await ask(stand, formatted({"type": "string", "description": "x" * 70_000}))
    assert refusal(response) == (400, "invalid_request", "response_format.json_schema.schema")
    assert standard.calls == []


async def test_lorax_is_sent_the_subset_and_standard_inference_in_its_place_the_schema_itself(board: Board) -> None:
    schema = Optionals.model_json_schema()

    async def fails(call: Call) -> None:
        if call.is_probe:
            await call.say("yes")
        else:
            await call.fail(424, "Request failed during generation: Server error: CUDA error", "generation")

    lorax = ScriptedLorax(fails)
    async with served(lorax) as url, with_standard(board, url) as (stand, standard):
        await stand.wait_ready(*ROLES)
        await ask(stand, formatted(schema, model="executive/cfo"))
    assert {orjson.dumps(body["response_format"]["schema"]) for body in sent(lorax)} == {orjson.dumps(subset(schema))}
    [call] = standard.calls
    assert call.body["response_format"]["json_schema"]["schema"] == schema


@pytest.mark.parametrize(
    "said",
    [
        "Format email is not supported by Outlines",
        "Could not translate the instance {'not': {}} to a regular expression.",
        "'type' must be a string",
        "The vocabulary does not allow us to build a sequence that matches the input regex",
    ],
)
async def test_what_the_library_refuses_all_the_same_is_asked_once(board: Board, said: str) -> None:
    async def refuses(call: Call) -> None:
        if call.is_probe:
            await call.say("yes")
        else:
            await call.fail(424, f"Request failed during generation: Server error: {said}", "generation")

    lorax = ScriptedLorax(refuses)
    async with served(lorax) as url, standing(board, url) as stand:
        await stand.wait_ready(*ROLES)
        response = await ask(stand, formatted({"type": "string"}, model="executive/cfo"))
    error = response.json()["error"]
    assert (response.status_code, error["code"], len(sent(lorax))) == (400, "question_refused", 1)
    assert said in error["members"][0]["reason"]


@pytest.mark.parametrize("version", ["v0.12.1", "main"])
async def test_openais_client_parses_a_pydantic_model(board: Board, openai_client: Session, version: str) -> None:  # noqa: F811
    async with simulated_lorax(lorax_version=version) as (url, _), standing(board, url) as stand:
        await stand.wait_ready(*ROLES)
        base = str(stand.client.base_url).rstrip("/")
        found = await call_in_thread(openai_client, base)
    assert found.keys() == {"stance", "summary", "condition", "steps", "due"}


async def call_in_thread(client: Session, url: str) -> Any:
    body = {"model": "executive/cfo", "messages": ASKED, "max_tokens": 900}
    return await asyncio.to_thread(client.call, url, "parse", **body)
