"""The real openai client on LoRAX's OpenAI routes: the deviations (docs/lorax.md#openai-deviations) and every error."""

import json
from typing import Any

import pytest

from component.conformance.clients_under_test import Session
from component.conformance.server_under_test import Server

CHAT = {
    "model": "",
    "messages": [{"role": "user", "content": "Why is the sky blue?"}],
    "max_tokens": 12,
    "temperature": 0,
}
COMPLETION = {"model": "", "prompt": "Why is the sky blue?", "max_tokens": 12, "temperature": 0}
HOW = ["chat", "chat_async"]


def chat(**fields: Any) -> dict[str, object]:
    return CHAT | fields


@pytest.mark.parametrize("how", HOW)
def test_a_chat_is_read_with_its_deviations(openai_client: Session, lorax: Server, how: str) -> None:
    answer = openai_client.call(lorax.url, how, **CHAT)
    model = lorax.request("GET", "/info").json()["model_id"]
    choice = answer["choices"][0]
    assert (answer["id"], answer["object"], answer["model"]) == ("null", "text_completion", model)
    assert (choice["finish_reason"], choice["message"]["role"]) == ("length", "assistant")
    assert answer["usage"]["completion_tokens"] == 12


@pytest.mark.parametrize("how", HOW)
def test_a_chat_stream_is_read_with_its_deviations(openai_client: Session, lorax: Server, how: str) -> None:
    chunks = openai_client.call(lorax.url, how, **chat(stream=True))
    whole = openai_client.call(lorax.url, how, **CHAT)["choices"][0]["message"]["content"]
    assert {(chunk["id"], chunk["created"], chunk["model"], chunk["object"]) for chunk in chunks} == {
        ("null", 0, "null", "chat.completion.chunk")
    }
    assert (len(chunks), chunks[-1]["choices"][0]["finish_reason"]) == (12, "length")
    assert "".join(chunk["choices"][0]["delta"]["content"] for chunk in chunks) == whole or not lorax.simulated
    assert [chunk.get("usage") is not None for chunk in chunks] == [False] * 11 + [True]


def test_the_model_is_the_adapter(openai_client: Session, lorax: Server) -> None:
    wanted = lorax.adapter_parameters()
    answers = [
        openai_client.call(
            lorax.url, "chat", **chat(model=model, extra_body={"adapter_source": wanted["adapter_source"]})
        )
        for model in ("", wanted["adapter_id"])
    ]
    base, adapter = (answer["choices"][0]["message"]["content"] for answer in answers)
    assert base != adapter


@pytest.mark.parametrize("how", ["completion", "completion_async"])
def test_a_completion_is_read(openai_client: Session, lorax: Server, how: str) -> None:
    answer = openai_client.call(lorax.url, how, **COMPLETION)
    assert (answer["id"], answer["created"], answer["model"]) == ("null", 0, "null")
    assert (answer["choices"][0]["finish_reason"], answer["usage"]["completion_tokens"]) == ("length", 12)


def test_a_completion_stream_is_read(openai_client: Session, lorax: Server) -> None:
    chunks = openai_client.call(lorax.url, "completion", **COMPLETION, stream=True)
    whole = openai_client.call(lorax.url, "completion", **COMPLETION)["choices"][0]["text"]
    assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == whole or not lorax.simulated


def test_two_choices(openai_client: Session, lorax: Server) -> None:
    answer = openai_client.call(lorax.url, "chat", **chat(n=2, temperature=0.9))
    assert [choice["index"] for choice in answer["choices"]] == [0, 1]


@pytest.mark.parametrize("how", HOW)
def test_a_json_schema_is_followed(openai_client: Session, lorax: Server, how: str) -> None:
    schema = {"type": "object", "properties": {"vote": {"type": "string", "enum": ["yes", "no"]}}, "required": ["vote"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "vote", "schema": schema, "strict": True}}
    answer = openai_client.call(lorax.url, how, **chat(response_format=wanted, max_tokens=60))
    assert json.loads(answer["choices"][0]["message"]["content"])["vote"] in {"yes", "no"}


def test_a_stop_sequence_looks_like_a_content_filter(openai_client: Session, lorax: Server) -> None:
    if not lorax.simulated:
        pytest.skip("what a real model says isn't known")
    answer = openai_client.call(lorax.url, "chat", **chat(stop=["simulated"]))
    assert answer["choices"][0]["finish_reason"] == "content_filter"


@pytest.mark.parametrize("how", HOW)
def test_a_missing_adapter_is_a_status_424_with_its_text_in_the_body(
    openai_client: Session, lorax: Server, how: str
) -> None:
    name, status, message = openai_client.call(
        lorax.url, how, **chat(model="/nowhere/at/all", extra_body={"adapter_source": "local"})
    )
    assert (name, status, "No valid adapter config file found" in message) == ("APIStatusError", 424, True)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"stop": "x"}, ("UnprocessableEntityError", 422)),
        ({"max_tokens": 10_000_000}, ("UnprocessableEntityError", 422)),
        ({"temperature": -1}, ("UnprocessableEntityError", 422)),
        ({"top_p": 0}, ("UnprocessableEntityError", 422)),
        ({"n": 99}, ("UnprocessableEntityError", 422)),
    ],
)
def test_a_refusal_is_the_clients_own_error(
    openai_client: Session, lorax: Server, fields: dict[str, Any], expected: tuple[str, int | None]
) -> None:
    name, status, _ = openai_client.call(lorax.url, "chat", **chat(**fields))
    assert (name, status) == expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ("overloaded", ("RateLimitError", 429)),
        ("incomplete", ("InternalServerError", 500)),
        ("generation", ("APIStatusError", 424)),
        ("validation", ("UnprocessableEntityError", 422)),
    ],
)
@pytest.mark.parametrize("how", HOW)
def test_every_error_of_lorax_is_the_clients_own(
    openai_client: Session, lorax: Server, how: str, error: str, expected: tuple[str, int | None]
) -> None:
    lorax.fault(kind="error", error=error)
    name, status, _ = openai_client.call(lorax.url, how, **CHAT)
    assert (name, status) == expected


@pytest.mark.parametrize("how", HOW)
def test_an_error_inside_a_stream_is_an_api_error_without_a_status(
    openai_client: Session, lorax: Server, how: str
) -> None:
    name, status, _ = openai_client.call(lorax.url, how, **chat(stream=True, max_tokens=10_000_000))
    assert (name, status) == ("APIError", None)


def test_there_is_no_list_of_models(openai_client: Session, lorax: Server) -> None:
    assert openai_client.call(lorax.url, "models")[:2] == ["NotFoundError", 404]


def test_a_late_answer_is_a_timeout(openai_client: Session, lorax: Server) -> None:
    lorax.fault(kind="latency", seconds=3, times=1)
    assert openai_client.call(lorax.url, "chat", **CHAT, timeout=1)[0] == "APITimeoutError"


def test_a_server_that_is_down_is_a_connection_error(openai_client: Session) -> None:
    assert openai_client.call("http://127.0.0.1:9", "chat", **CHAT)[0] == "APIConnectionError"
