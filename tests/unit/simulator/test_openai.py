"""The OpenAI routes: chats and completions, with LoRAX's deviations."""

import asyncio
import json
from pathlib import Path

import pytest

from unit.simulator.simulation import MODEL, chat, events, post, serving


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


async def test_a_chat_uses_the_adapter_that_model_names(ceo: Path) -> None:
    response = await post("/v1/chat/completions", chat(model=f"{ceo}"))
    assert (response.headers["x-adapter-id"], f" {ceo}@" in response.text) == (f"{ceo}", True)


async def test_a_stop_sequence_in_a_chat_ends_in_content_filter() -> None:
    answer = (await post("/v1/chat/completions", chat(stop=["signature"]))).json()
    assert answer["choices"][0]["finish_reason"] == "content_filter"


async def test_n_is_best_of_in_a_chat() -> None:
    choices = (await post("/v1/chat/completions", chat(n=2))).json()["choices"]
    texts = {choice["message"]["content"] for choice in choices}
    assert ([choice["index"] for choice in choices], len(texts)) == ([0, 1], 2)


async def test_a_chat_stream_ends_in_usage_and_done() -> None:
    *chunks, last, done = events(await post("/v1/chat/completions", chat(stream=True)))
    text = "".join(chunk["choices"][0]["delta"]["content"] for chunk in chunks)
    assert 'On "Why?":' in text
    assert {(chunk["model"], chunk["created"], "usage" in chunk) for chunk in chunks} == {("null", 0, False)}
    assert last["choices"] == [{"index": 0, "delta": {}, "finish_reason": "stop"}]
    assert last["usage"]["prompt_tokens"] == 16
    assert done == "[DONE]"


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
