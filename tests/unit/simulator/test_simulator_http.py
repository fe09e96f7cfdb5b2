"""The simulator's HTTP against LORAX.md: shapes, headers, errors, events."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from boardroom.adapters.make import Shape, make
from boardroom.simulator.exchange import MAX_BODY_BYTES
from unit.simulator.simulation import serving

MODEL = "mistralai/Mistral-7B-Instruct-v0.1"


@pytest.fixture
def ceo(tmp_path: Path) -> str:
    make(tmp_path, ["ceo"], Shape())
    return f"{tmp_path}/ceo_lora_adapter"


def events(response: httpx.Response) -> list[Any]:
    lines = [line for line in response.text.split("\n\n") if line]
    assert all(line.startswith("data: ") for line in lines)
    return [line[6:] if line == "data: [DONE]" else json.loads(line[6:]) for line in lines]


async def post(path: str, body: object, **settings: Any) -> httpx.Response:
    async with serving(**settings) as lorax:
        return await lorax.post(path, json=body)


async def test_generate_answers_the_text_alone() -> None:
    response = await post("/generate", {"inputs": "Why?", "parameters": {"max_new_tokens": 2}})
    assert (response.status_code, response.json()) == (200, {"generated_text": "[simulate"})


async def test_generate_with_details_counts_what_was_generated() -> None:
    body = {"inputs": "Why?", "parameters": {"max_new_tokens": 2, "details": True}}
    details = (await post("/generate", body)).json()["details"]
    assert [token["text"] for token in details.pop("tokens")] == ["[", "simulate"]
    assert details == {
        "finish_reason": "length",
        "prompt_tokens": 3,
        "generated_tokens": 2,
        "skipped_tokens": 0,
        "seed": None,
        "prefill": [],
    }


async def test_the_root_answers_a_list_of_one() -> None:
    response = await post("/", {"inputs": "Why?", "parameters": {"max_new_tokens": 2}})
    assert response.json() == [{"generated_text": "[simulate"}]


async def test_return_full_text_puts_the_prompt_in_front() -> None:
    body = {"inputs": "Why? ", "parameters": {"max_new_tokens": 1, "return_full_text": True}}
    assert (await post("/generate", body)).json() == {"generated_text": "Why? ["}


async def test_best_of_answers_the_best_and_shows_the_others() -> None:
    body = {"inputs": "Why?", "parameters": {"max_new_tokens": 60, "best_of": 2, "do_sample": True, "details": True}}
    answer = (await post("/generate", body)).json()
    others = answer["details"]["best_of_sequences"]
    assert [other["generated_text"] != answer["generated_text"] for other in others] == [True]


async def test_generate_carries_loraxs_headers(ceo: str) -> None:
    body = {"inputs": "Why?", "parameters": {"max_new_tokens": 2, "adapter_id": ceo, "adapter_source": "local"}}
    headers = (await post("/generate", body)).headers
    times = {f"x-{name}-time" for name in ("compute", "total", "validation", "queue", "inference")} | {
        f"x-time-{name}" for name in ("per-token", "to-first-token", "per-output-token")
    }
    assert all(headers[name].isdecimal() for name in times)
    rest = {name: value for name, value in headers.items() if name.startswith("x-") and name not in times}
    assert rest == {
        "x-compute-type": "gpu+optimized",
        "x-compute-characters": "4",
        "x-prompt-tokens": "3",
        "x-generated-tokens": "2",
        "x-skipped-tokens": "0",
        "x-total-tokens": "5",
        "x-model-id": MODEL,
        "x-adapter-id": ceo,
        "x-adapter-source": "local",
    }


async def test_the_base_model_has_no_adapter_headers() -> None:
    headers = (await post("/generate", {"inputs": "Why?", "parameters": {"max_new_tokens": 1}})).headers
    assert ("x-adapter-id" in headers, "x-adapter-source" in headers) == (False, False)


async def test_a_header_can_not_be_smuggled_in_by_an_adapter_id() -> None:
    body = {"inputs": "Why?", "parameters": {"max_new_tokens": 1, "adapter_id": "/x\r\nx-evil: 1"}}
    headers = (await post("/generate_stream", body, abort_bugs=False)).headers
    assert (headers["x-adapter-id"], "x-evil" in headers) == ("/x??x-evil: 1", False)


async def test_a_stream_has_an_event_per_token_and_the_text_in_the_last() -> None:
    body = {"inputs": "Why?", "parameters": {"max_new_tokens": 2, "details": True}}
    response = await post("/generate_stream", body)
    first, last = events(response)
    assert response.headers["content-type"] == "text/event-stream"
    assert (first["token"]["text"], first["generated_text"], first["details"]) == ("[", None, None)
    assert (last["token"]["text"], last["generated_text"]) == ("simulate", "[simulate")
    assert last["details"] == {"finish_reason": "length", "prompt_tokens": 3, "generated_tokens": 2, "seed": None}


async def test_a_stream_has_few_headers() -> None:
    headers = (await post("/generate_stream", {"inputs": "Why?", "parameters": {"max_new_tokens": 1}})).headers
    assert {name for name in headers if name.startswith("x-")} == {
        "x-compute-type",
        "x-compute-characters",
        "x-accel-buffering",
        "x-model-id",
    }


async def test_the_root_streams_when_asked_to() -> None:
    body = {"inputs": "Why?", "parameters": {"max_new_tokens": 3}, "stream": True}
    assert [event["token"]["text"] for event in events(await post("/", body))] == ["[", "simulate", "d"]


async def test_an_error_in_a_stream_comes_with_status_200() -> None:
    body = {"inputs": "Why?", "parameters": {"max_new_tokens": 1, "adapter_id": "/models/nobody"}}
    response = await post("/generate_stream", body)
    assert (response.status_code, events(response)) == (
        200,
        [
            {
                "error": "Request failed during generation: Server error: "
                "No valid adapter config file found: tried None and None",
                "error_type": "generation",
            }
        ],
    )


def chat(**fields: Any) -> dict[str, object]:
    messages = [{"role": "system", "content": "You are CEO."}, {"role": "user", "content": "Why?"}]
    return {"model": "", "messages": messages, "max_tokens": 300, **fields}


async def test_a_chat_has_loraxs_deviations() -> None:
    answer = (await post("/v1/chat/completions", chat())).json()
    content = answer["choices"][0]["message"].pop("content")
    assert 'On "Why?":' in content
    assert answer.pop("created") > 0
    completion = answer["usage"]["completion_tokens"]
    assert answer == {
        "id": "null",
        "object": "text_completion",
        "model": MODEL,
        "choices": [{"index": 0, "message": {"role": "assistant"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 16, "total_tokens": 16 + completion, "completion_tokens": completion},
        "system_fingerprint": "0.1.0-native",
    }


async def test_the_base_models_own_id_means_no_adapter() -> None:
    assert "x-adapter-id" not in (await post("/v1/chat/completions", chat(model=MODEL))).headers


async def test_a_chat_speaks_through_the_adapter_that_model_names(ceo: str) -> None:
    response = await post("/v1/chat/completions", chat(model=ceo))
    assert (response.headers["x-adapter-id"], f" {ceo}@" in response.text) == (ceo, True)


async def test_a_stop_sequence_in_a_chat_ends_in_content_filter() -> None:
    answer = (await post("/v1/chat/completions", chat(stop=["voice"]))).json()
    assert answer["choices"][0]["finish_reason"] == "content_filter"


async def test_a_chat_stream_ends_in_usage_and_done() -> None:
    *chunks, last, done = events(await post("/v1/chat/completions", chat(stream=True)))
    text = "".join(chunk["choices"][0]["delta"]["content"] for chunk in chunks)
    assert 'On "Why?":' in text
    assert {(chunk["model"], chunk["created"], "usage" in chunk) for chunk in chunks} == {("null", 0, False)}
    assert last["choices"] == [{"index": 0, "delta": {}, "finish_reason": "stop"}]
    assert last["usage"]["prompt_tokens"] == 16
    assert done == "[DONE]"


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("refuse-system", "syntax error: Conversation roles must alternate"),
        ("none", "template not found"),
    ],
)
async def test_a_chat_that_the_template_can_not_render_is_a_template_error(template: str, said: str) -> None:
    response = await post("/v1/chat/completions", chat(), chat_template=template)
    answer = response.json()
    assert (response.status_code, answer["error_type"], said in answer["error"]) == (422, "template_error", True)


async def test_a_completion_answers_in_openais_shape() -> None:
    answer = (await post("/v1/completions", {"model": "", "prompt": "Why?", "max_tokens": 2})).json()
    assert answer == {
        "id": "null",
        "object": "text_completion",
        "created": 0,
        "model": "null",
        "choices": [{"index": 0, "text": "[simulate", "logprobs": None, "finish_reason": "length"}],
        "usage": {"prompt_tokens": 3, "total_tokens": 5, "completion_tokens": 2},
    }


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
async def test_validation_speaks_loraxs_words(parameters: dict[str, Any], said: str) -> None:
    response = await post("/generate", {"inputs": "Why?", "parameters": parameters})
    expected = {"error": f"Input validation error: {said}", "error_type": "validation"}
    assert (response.status_code, response.json()) == (422, expected)


async def test_an_empty_prompt_is_refused() -> None:
    response = await post("/generate", {"inputs": ""})
    assert (response.status_code, response.json()["error"]) == (
        422,
        "Input validation error: `inputs` cannot be empty",
    )


async def test_unknown_parameters_are_ignored() -> None:
    body = {"inputs": "Why?", "parameters": {"max_new_tokens": 1, "return_attention": True}, "more": 1}
    assert (await post("/generate", body)).status_code == 200


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


async def test_beyond_the_limit_requests_get_429_at_once() -> None:
    body = {"inputs": "Why?", "parameters": {"max_new_tokens": 60}}
    async with serving(max_concurrent_requests=2) as lorax:
        responses = await asyncio.gather(*(lorax.post("/generate", json=body) for _ in range(5)))
    refused = [response.json() for response in responses if response.status_code == 429]
    assert refused == [{"error": "Model is overloaded", "error_type": "overloaded"}] * 3


@pytest.mark.parametrize("path", ["/", "/health", "/ping"])
async def test_health_says_nothing(path: str) -> None:
    async with serving() as lorax:
        response = await lorax.get(path)
    assert (response.status_code, response.content) == (200, b"")


@pytest.mark.parametrize("path", ["/startup", "/generate_batch", "/v1/models", "/adapters"])
async def test_there_is_no(path: str) -> None:
    async with serving() as lorax:
        assert (await lorax.get(path)).status_code == 404


async def test_a_wrong_method_is_405_with_the_right_one() -> None:
    async with serving() as lorax:
        response = await lorax.get("/generate")
    assert (response.status_code, response.headers["allow"]) == (405, "POST")


async def test_info_has_loraxs_fields() -> None:
    async with serving(max_active_adapters=100, max_concurrent_requests=128) as lorax:
        info = (await lorax.get("/info")).json()
    assert info == {
        "model_id": MODEL,
        "model_sha": None,
        "model_dtype": "torch.float16",
        "model_device_type": "cuda",
        "model_pipeline_tag": "text-generation",
        "max_concurrent_requests": 128,
        "max_best_of": 2,
        "max_stop_sequences": 4,
        "max_input_length": 4095,
        "max_total_tokens": 4096,
        "waiting_served_ratio": 1.2,
        "max_batch_total_tokens": 97_000,
        "max_waiting_tokens": 20,
        "validation_workers": 2,
        "eager_prefill": True,
        "version": "0.1.0",
        "sha": None,
        "docker_label": None,
        "request_logger_url": None,
    }


async def test_tokenize_gives_tokens_with_their_places() -> None:
    tokens = (await post("/tokenize", {"inputs": "Why not?"})).json()
    assert [(token["text"], token["start"], token["stop"]) for token in tokens] == [
        ("<s>", 0, 0),
        ("Why", 0, 3),
        (" not", 3, 7),
        ("?", 7, 8),
    ]


async def test_steps_carry_the_callers_request_ids_and_can_be_read_from_a_step_on() -> None:
    body = {"inputs": "Why?", "parameters": {"max_new_tokens": 2}}
    async with serving() as lorax:
        await lorax.post("/generate", json=body, headers={"x-request-id": "q1.ceo"})
        whole = (await lorax.get("/simulator/steps")).json()
        rest = (await lorax.get("/simulator/steps", params={"since": 1})).json()
    expected = [{"request_id": "q1.ceo", "adapter_id": ""}]
    assert [(step["id"], step["kind"], step["requests"]) for step in whole["steps"]] == [
        (1, "prefill", expected),
        (2, "decode", expected),
    ]
    assert (rest["steps"], rest["last"]) == (whole["steps"][1:], 2)


async def test_a_bad_step_id_is_refused() -> None:
    async with serving() as lorax:
        assert (await lorax.get("/simulator/steps?since=x")).status_code == 400


async def test_state_tells_what_lorax_hides(ceo: str) -> None:
    async with serving() as lorax:
        await lorax.post("/generate", json={"inputs": "x", "parameters": {"adapter_id": ceo, "max_new_tokens": 1}})
        state = (await lorax.get("/simulator/state")).json()
    assert state == {
        "loaded": [ceo],
        "loads": 1,
        "active": [ceo],
        "pending": [],
        "queue": 0,
        "requests": 0,
        "gpu_seconds": 0.0,
        "last_step": 1,
        "profile": "instant",
    }
