"""What is refused, with which status and in which words."""

import asyncio
import json
from typing import Any

import pytest

from boardroom.simulator.router.exchange import MAX_BODY_BYTES
from unit.simulator.simulation import chat, post, serving


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"temperature": -1}, "`temperature` must be non-negative"),
        ({"repetition_penalty": 0}, "`repetition_penalty` must be strictly positive"),
        ({"frequency_penalty": 3}, "`frequency_penalty` must be >= -2.0 and <= 2.0"),
        ({"presence_penalty": -3}, "`presence_penalty` must be >= -2.0 and <= 2.0"),
        ({"top_p": 0}, "`top_p` must be > 0.0 and < 1.0"),
        ({"typical_p": 1}, "`typical_p` must be > 0.0 and < 1.0"),
        ({"top_k": 0}, "`top_k` must be strictly positive"),
        ({"max_new_tokens": 0}, "`max_new_tokens` must be strictly positive"),
        ({"stop": list("abcde")}, "`stop` supports up to 4 stop sequences. Given: 5"),
        ({"truncate": 0}, "`truncate` must be strictly positive and less than 4095. Given: 0"),
        ({"best_of": 2}, "you must use sampling when `best_of` is > 1"),
        ({"best_of": 2, "do_sample": True, "seed": 1}, "`seed` must not be set when `best_of` > 1"),
        ({"best_of": 3, "do_sample": True}, "`best_of` must be > 0 and <= 2. Given: 3"),
        (
            {"max_new_tokens": 4096},
            "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 3 `inputs` tokens and 4096 `max_new_tokens`",
        ),
        (
            {"adapter_id": "a", "merged_adapters": {"ids": ["b"], "weights": [1.0]}},
            "at most one of `adapter_id` or `adapters` may be provided",
        ),
    ],
)
async def test_validation_has_loraxs_messages(parameters: dict[str, Any], said: str) -> None:
    response = await post("/generate", {"inputs": "Why?", "parameters": parameters})
    expected = {"error": f"Input validation error: {said}", "error_type": "validation"}
    assert (response.status_code, response.json()) == (422, expected)


async def test_an_empty_prompt_is_refused() -> None:
    response = await post("/generate", {"inputs": ""})
    assert (response.status_code, response.json()["error"]) == (
        422,
        "Input validation error: `inputs` cannot be empty",
    )


async def test_a_prompt_beyond_the_longest_is_refused_in_loraxs_words() -> None:
    limits = {"max_input_length": 10, "max_total_tokens": 20, "max_batch_prefill_tokens": 20}
    response = await post("/generate", {"inputs": "word " * 11, "parameters": {"max_new_tokens": 1}}, **limits)
    assert (response.status_code, response.json()["error"]) == (
        422,
        "Input validation error: `inputs` must have less than 10 tokens. Given: 13",
    )


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


JSON = {"content-type": "application/json"}
TARGET = "Failed to deserialize the JSON body into the target type: "


@pytest.mark.parametrize(
    ("content", "headers", "status", "said"),
    [
        (b"{}", {}, 415, "Expected request with `Content-Type: application/json`"),
        (b"{", JSON, 400, "Failed to parse the request body as JSON: EOF while parsing a value at line 1 column 1"),
        (b'{"inputs": }', JSON, 400, "Failed to parse the request body as JSON: expected value at line 1 column 12"),
        (b"{}", JSON, 422, f"{TARGET}missing field `inputs` at line 1 column 2"),
        (
            b'{"inputs": 5}',
            JSON,
            422,
            f"{TARGET}inputs: invalid type: integer `5`, expected a string at line 1 column 13",
        ),
        (
            b'{"inputs": "x", "parameters": {"stop": "y"}}',
            JSON,
            422,
            f'{TARGET}parameters.stop: invalid type: string "y", expected a sequence at line 1 column 44',
        ),
        (
            b'{"inputs": "x", "parameters": {"max_new_tokens": -1}}',
            JSON,
            422,
            f"{TARGET}parameters.max_new_tokens: invalid value: integer `-1`, expected u32 at line 1 column 53",
        ),
        (
            b'{"inputs": "x", "inputs": "y"}',
            JSON,
            422,
            f"{TARGET}duplicate field `inputs` at line 1 column 30",
        ),
        (
            b'{"inputs": "x", "parameters": {"seed": 1, "seed": 1}} and',
            JSON,
            422,
            f"{TARGET}parameters: duplicate field `seed` at line 1 column 54",
        ),
        (b"x" * (MAX_BODY_BYTES + 1), JSON, 413, "Failed to buffer the request body: length limit exceeded"),
    ],
)
async def test_a_body_that_is_not_understood_is_refused_in_plain_text(
    content: bytes, headers: dict[str, str], status: int, said: str
) -> None:
    async with serving() as lorax:
        response = await lorax.post("/generate", content=content, headers=headers)
    assert (response.status_code, response.headers["content-type"], response.text) == (
        status,
        "text/plain; charset=utf-8",
        said,
    )


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


@pytest.mark.parametrize(
    ("messages", "status", "said"),
    [
        ('[{"role": "user", "content": "x", "role": "user"}]', 422, "messages[0]: duplicate field `role`"),
        ('[{"role": "user", "content": "x", "other": {"role": 1, "role": 2}}]', 200, "signature="),
        ('[{"role": "user", "content": [{"type": "text", "text": "x", "text": "y"}]}]', 200, "signature="),
    ],
)
async def test_only_a_field_that_lorax_knows_must_stand_once(messages: str, status: int, said: str) -> None:
    content = f'{{"model": "", "max_tokens": 12, "messages": {messages}}}'
    async with serving() as lorax:
        response = await lorax.post("/v1/chat/completions", content=content, headers=JSON)
    assert (response.status_code, said in response.text) == (status, True)


async def test_beyond_the_limit_requests_get_429_at_once() -> None:
    body = {"inputs": "Why?", "parameters": {"max_new_tokens": 60}}
    async with serving(max_concurrent_requests=2) as lorax:
        responses = await asyncio.gather(*(lorax.post("/generate", json=body) for _ in range(5)))
    refused = [response.json() for response in responses if response.status_code == 429]
    assert refused == [{"error": "Model is overloaded", "error_type": "overloaded"}] * 3


@pytest.mark.parametrize("path", ["/startup", "/generate_batch", "/v1/models", "/adapters"])
async def test_there_is_no(path: str) -> None:
    async with serving() as lorax:
        assert (await lorax.get(path)).status_code == 404


async def test_a_wrong_method_is_405_with_the_right_one() -> None:
    async with serving() as lorax:
        response = await lorax.get("/generate")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
