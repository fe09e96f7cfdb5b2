"""The rest of LoRAX's surface: what is new on its main branch, response_format, n, and signs of life."""

import asyncio
import json
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from boardroom.adapters.make import Shape, make
from boardroom.simulator.app import Application
from boardroom.simulator.engine import Engine
from boardroom.simulator.settings import Settings
from boardroom.simulator.virtual import VirtualTimeLoop
from unit.simulator.simulation import serving

PROPERTIES = {"vote": {"enum": ["yes", "no"]}, "why": {"type": "string"}}
VOTE = {"type": "object", "properties": PROPERTIES}


async def post(path: str, body: object, **settings: Any) -> httpx.Response:
    async with serving(**settings) as lorax:
        return await lorax.post(path, json=body)


def chat(**fields: Any) -> dict[str, object]:
    return {"model": "", "messages": [{"role": "user", "content": "Why?"}], "max_tokens": 300, **fields}


async def test_the_release_has_no_startup_and_the_main_branch_has() -> None:
    statuses = []
    for version in ("v0.12.1", "main"):
        async with serving(lorax_version=version) as lorax:
            statuses.append((await lorax.get("/startup")).status_code)
    assert statuses == [404, 200]


async def test_startup_generates_a_token_and_so_fails_with_500_under_load() -> None:
    body = {"inputs": "x", "parameters": {"max_new_tokens": 60}}
    async with serving(lorax_version="main", max_concurrent_requests=1) as lorax:
        _, response = await asyncio.gather(lorax.post("/generate", json=body), lorax.get("/startup"))
    assert (response.status_code, response.json()) == (
        500,
        {"error": "Model is overloaded", "error_type": "overloaded"},
    )


async def test_startup_may_push_out_an_idle_adapter(tmp_path: Path) -> None:
    make(tmp_path, ["ceo"], Shape())
    body = {"inputs": "x", "parameters": {"adapter_id": f"{tmp_path}/ceo_lora_adapter", "max_new_tokens": 1}}
    async with serving(lorax_version="main") as lorax:
        await lorax.post("/generate", json=body)
        await lorax.get("/startup")
        assert (await lorax.get("/simulator/state")).json()["loaded"] == []


@pytest.mark.parametrize(
    ("version", "accept", "content_type"),
    [("v0.12.1", "application/json", "text/plain"), ("main", "*/*", "text/plain"), ("main", "application/json", None)],
)
async def test_metrics_are_json_for_who_accepts_it_from_the_main_branch(
    version: str, accept: str, content_type: str | None
) -> None:
    async with serving(lorax_version=version) as lorax:
        response = await lorax.get("/metrics", headers={"accept": accept})
    assert response.headers["content-type"] == (content_type or "application/json")


async def test_metrics_as_json_hold_the_pages_samples() -> None:
    async with serving(lorax_version="main") as lorax:
        await lorax.post("/generate", json={"inputs": "x", "parameters": {"max_new_tokens": 2}})
        await lorax.post("/generate", json={"inputs": ""})
        families = (await lorax.get("/metrics", headers={"accept": "application/json"})).json()
    duration = {sample["key"]: sample["value"] for sample in families["lorax_request_duration"]["data"]}
    assert families["lorax_request_count"] == {"type": "counter", "data": [{"key": "count", "value": 2.0}]}
    assert families["lorax_queue_length"]["data"] == [{"key": "", "value": 0.0}]
    assert families["lorax_request_failure"]["data"] == [
        {"key": 'lorax_request_failure{err="validation"}', "value": 1.0}
    ]
    assert (duration["count"], duration['lorax_request_duration_bucket{le="+Inf"}']) == (1.0, 1.0)


async def test_the_query_that_lorax_documents_for_json_changes_nothing() -> None:
    async with serving(lorax_version="main") as lorax:
        response = await lorax.get("/metrics?format=json", headers={"accept": "*/*"})
    assert response.headers["content-type"] == "text/plain"


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
            "expected one of `Text`, `JsonObject`, `JsonSchema` at line 1 column 109"
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
    parameters = {"max_new_tokens": 9, "response_format": {"type": "json_schema", "schema": {"not": {}}}}
    response = await post("/generate", {"inputs": "Why?", "parameters": parameters})
    assert (response.status_code, response.json()) == (
        424,
        {
            "error": "Request failed during generation: Server error: JSON schema: `not` is not followed",
            "error_type": "generation",
        },
    )


async def test_n_is_best_of_in_a_chat() -> None:
    choices = (await post("/v1/chat/completions", chat(n=2))).json()["choices"]
    texts = {choice["message"]["content"] for choice in choices}
    assert ([choice["index"] for choice in choices], len(texts)) == ([0, 1], 2)


@pytest.mark.parametrize(
    ("n", "said"),
    [
        (3, "Input validation error: `best_of` must be > 0 and <= 2. Given: 3"),
        (-1, f"Input validation error: `best_of` must be > 0 and <= 2. Given: {2**64 - 1}"),
    ],
)
async def test_an_n_beyond_best_of_is_refused(n: int, said: str) -> None:
    response = await post("/v1/chat/completions", chat(n=n))
    assert (response.status_code, response.json()["error"]) == (422, said)


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        (
            "/generate_stream",
            {"best_of": 2, "do_sample": True},
            "`best_of` != 1 is not supported when streaming tokens",
        ),
        ("/generate_stream", {"best_of": 0}, "`best_of` != 1 is not supported when streaming tokens"),
        (
            "/generate_stream",
            {"decoder_input_details": True},
            "`decoder_input_details` == true is not supported when streaming tokens",
        ),
        ("/generate_stream", {"temperature": -1}, "`temperature` must be non-negative"),
    ],
)
async def test_a_refusal_in_a_stream_is_an_event_of_a_200(path: str, body: dict[str, Any], said: str) -> None:
    response = await post(path, {"inputs": "x", "parameters": {"max_new_tokens": 1, **body}})
    expected = {"error": f"Input validation error: {said}", "error_type": "validation"}
    assert (response.status_code, response.text) == (200, f"data: {json.dumps(expected, separators=(',', ':'))}\n\n")


async def test_an_overloaded_openai_stream_has_an_error_and_no_done() -> None:
    async with serving(max_concurrent_requests=1) as lorax:
        body = {"inputs": "x", "parameters": {"max_new_tokens": 60}}
        _, response = await asyncio.gather(
            lorax.post("/generate", json=body), lorax.post("/v1/chat/completions", json=chat(stream=True))
        )
    assert (response.status_code, response.text) == (
        200,
        'data: {"error":"Model is overloaded","error_type":"overloaded"}\n\n',
    )


async def test_echo_puts_the_prompt_in_front() -> None:
    answer = (await post("/v1/completions", {"model": "", "prompt": "Why? ", "max_tokens": 1, "echo": True})).json()
    assert answer["choices"][0]["text"] == "Why? ["


async def test_logprobs_of_a_completion_are_computed_and_not_shown() -> None:
    answer = (await post("/v1/completions", {"model": "", "prompt": "x", "max_tokens": 1, "logprobs": 3})).json()
    assert answer["choices"][0]["logprobs"] is None


async def test_a_completion_stream_carries_usage_in_every_event_and_ends_in_done() -> None:
    body = {"model": "", "prompt": "Why?", "max_tokens": 2, "stream": True}
    text = (await post("/v1/completions", body)).text
    *events, done = [line.removeprefix("data: ") for line in text.split("\n\n") if line]
    usages = [json.loads(event)["usage"]["completion_tokens"] for event in events]
    assert (usages, done) == ([0, 2], "[DONE]")


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/v1/chat/completions", chat(stop="x"), 'stop: invalid type: string "x", expected a sequence'),
        ("/v1/completions", {"model": "", "prompt": ["x"]}, "prompt: invalid type: sequence, expected a string"),
        ("/v1/completions", {"prompt": "x"}, "missing field `model`"),
    ],
)
async def test_openai_bodies_that_openai_would_take_are_422_in_plain_text(path: str, body: object, said: str) -> None:
    response = await post(path, body)
    assert (response.status_code, response.headers["content-type"], said in response.text) == (
        422,
        "text/plain; charset=utf-8",
        True,
    )


async def test_a_bearer_token_serves_as_api_token() -> None:
    body = {"inputs": "x", "parameters": {"adapter_id": "org/x", "adapter_source": "pbase", "max_new_tokens": 1}}
    async with serving() as lorax:
        without = await lorax.post("/generate", json=body)
        with_token = await lorax.post("/generate", json=body, headers={"authorization": "Bearer t"})
    assert ["api_token must be provided" in answer.text for answer in (without, with_token)] == [True, False]


def test_an_omitted_max_new_tokens_reserves_all_that_is_left_of_the_context() -> None:
    async def reserved() -> int:
        async with serving(max_total_tokens=100, max_input_length=50, max_batch_prefill_tokens=60) as lorax:
            await lorax.post("/generate", json={"inputs": "x"})
            page = (await lorax.get("/metrics")).text
        return int(next(line for line in page.splitlines() if "max_new_tokens_sum" in line).split()[1])

    assert asyncio.run(reserved()) == 98


def test_a_comment_comes_every_15_seconds_also_while_an_adapter_loads(tmp_path: Path) -> None:
    make(tmp_path, ["ceo"], Shape())
    sent = []

    async def story() -> None:
        settings = Settings(adapter_source="local", time_scale=2000)  # 20 ms of download become 40 s
        parameters = {"adapter_id": f"{tmp_path}/ceo_lora_adapter", "max_new_tokens": 1}
        body = json.dumps({"inputs": "x", "parameters": parameters}).encode()
        messages = [{"type": "http.request", "body": body, "more_body": False}]
        loop = asyncio.get_running_loop()

        async def receive() -> dict[str, object]:
            return messages.pop() if messages else await loop.create_future()

        async def send(message: MutableMapping[str, Any]) -> None:
            if message.get("body"):
                sent.append((round(loop.time()), message["body"][:6]))

        headers = [(b"content-type", b"application/json")]
        scope = {"type": "http", "method": "POST", "path": "/generate_stream", "headers": headers, "query_string": b""}
        async with Engine(settings) as engine:
            await Application(engine)(scope, receive, send)

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(story())
    *comments, (_, last) = sent
    assert (comments[:2], {body for _, body in comments}, last) == (
        [(15, b":\n\n"), (30, b":\n\n")],
        {b":\n\n"},
        b"data: ",
    )


async def test_a_prompt_beyond_the_longest_is_refused_in_loraxs_words() -> None:
    limits = {"max_input_length": 10, "max_total_tokens": 20, "max_batch_prefill_tokens": 20}
    response = await post("/generate", {"inputs": "word " * 11, "parameters": {"max_new_tokens": 1}}, **limits)
    assert (response.status_code, response.json()["error"]) == (
        422,
        "Input validation error: `inputs` must have less than 10 tokens. Given: 13",
    )


async def test_a_truncated_prompt_is_its_end() -> None:
    parameters = {"max_new_tokens": 60, "truncate": 2, "details": True}
    answer = (await post("/generate", {"inputs": "Why not now?", "parameters": parameters})).json()
    assert (answer["details"]["prompt_tokens"], 'On "now?":' in answer["generated_text"]) == (2, True)
