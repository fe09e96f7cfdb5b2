"""The real lorax-client 0.6.3, sync and async, whole and streamed, and every exception it has for a LoRAX."""

import json

import pytest

from component.conformance.clients_under_test import Session
from component.conformance.server_under_test import Server

HOW = ["sync", "sync_stream", "async", "async_stream"]
ASK = {"prompt": "Why is the sky blue?", "max_new_tokens": 12}


def test_a_whole_answer_counts_what_it_shows(lorax_client: Session, lorax: Server) -> None:
    answer = lorax_client.call(lorax.url, "sync", **ASK, details=True)
    assert (answer["generated_tokens"], len(answer["tokens"]), answer["prompt_tokens"] > 0) == (12, 12, True)
    assert "".join(answer["tokens"]) == answer["text"] or not lorax.simulated  # a real tokenizer joins its own way


def test_all_four_ways_give_the_same_text(lorax_client: Session, lorax: Server) -> None:
    assert len({lorax_client.call(lorax.url, how, **ASK)["text"] for how in HOW}) == 1


@pytest.mark.parametrize("how", HOW)
def test_an_adapter_answers(lorax_client: Session, lorax: Server, how: str) -> None:
    outcome = lorax_client.call(lorax.url, how, **ASK, **lorax.adapter_parameters())
    assert isinstance(outcome["text"], str)


def test_an_adapter_answers_otherwise_than_the_base_model(lorax_client: Session, lorax: Server) -> None:
    base = lorax_client.call(lorax.url, "sync", **ASK)
    adapter = lorax_client.call(lorax.url, "sync", **ASK, **lorax.adapter_parameters())
    assert base["text"] != adapter["text"]


@pytest.mark.parametrize("how", HOW)
def test_a_missing_adapter_is_a_generation_error(lorax_client: Session, lorax: Server, how: str) -> None:
    name, message = lorax_client.call(lorax.url, how, **ASK, adapter_id="/nowhere/at/all", adapter_source="local")
    assert (name, message.startswith("Request failed during generation: ")) == ("GenerationError", True)
    assert "No valid adapter config file found" in message


@pytest.mark.parametrize("how", HOW)
def test_a_request_that_is_too_long_is_a_validation_error(lorax_client: Session, lorax: Server, how: str) -> None:
    name, message = lorax_client.call(lorax.url, how, prompt="Why?", max_new_tokens=10_000_000)
    assert (name, "`inputs` tokens + `max_new_tokens` must be <= " in message) == ("ValidationError", True)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ("overloaded", ["OverloadedError", "Model is overloaded"]),
        ("incomplete", ["IncompleteGenerationError", "Incomplete generation"]),
        ("validation", ["ValidationError", "Input validation error: `inputs` cannot be empty"]),
    ],
)
def test_every_error_of_lorax_is_the_clients_own(
    lorax_client: Session, lorax: Server, how: str, error: str, expected: list[str]
) -> None:
    lorax.fault(kind="error", error=error)
    assert lorax_client.call(lorax.url, how, **ASK) == expected


def test_more_requests_than_permits_are_overloaded_errors(lorax_client: Session, lorax: Server) -> None:
    permits = lorax.request("GET", "/info").json()["max_concurrent_requests"]
    if permits > 128:
        pytest.skip(f"{permits} requests at once are too many for a test")
    outcomes = lorax_client.call(lorax.url, "together", **(ASK | {"max_new_tokens": 60}), count=permits + 2)
    assert outcomes == ["OverloadedError"] * 2 + ["Response"] * permits


def test_a_token_that_never_comes_is_a_timeout(lorax_client: Session, lorax: Server) -> None:
    lorax.fault(kind="latency", seconds=3, times=1)
    assert lorax_client.call(lorax.url, "sync", **ASK, timeout=1)[0] == "ReadTimeout"


@pytest.mark.parametrize(
    ("how", "error"), [("sync_stream", "ChunkedEncodingError"), ("async_stream", "ClientPayloadError")]
)
def test_a_dropped_stream_is_the_transports_error(lorax_client: Session, lorax: Server, how: str, error: str) -> None:
    lorax.fault(kind="drop", after=2)
    assert lorax_client.call(lorax.url, how, **ASK)[0] == error


@pytest.mark.parametrize("how", ["sync_stream", "async_stream"])
def test_a_slow_stream_arrives_whole(lorax_client: Session, lorax: Server, how: str) -> None:
    quick = lorax_client.call(lorax.url, how, **ASK)
    lorax.fault(kind="slow-stream", seconds=0.02)
    assert lorax_client.call(lorax.url, how, **ASK) == quick


def test_a_server_that_is_down_is_the_transports_error(lorax_client: Session) -> None:
    # The sync client retries for three minutes before it says the same.
    assert lorax_client.call("http://127.0.0.1:9", "async", **ASK)[0] == "ClientConnectorError"


def test_details_of_a_stream_name_why_it_ended(lorax_client: Session, lorax: Server) -> None:
    assert lorax_client.call(lorax.url, "sync_stream", **ASK, details=True)["finish_reason"] == "length"


def test_stop_sequences_end_an_answer(lorax_client: Session, lorax: Server) -> None:
    if not lorax.simulated:
        pytest.skip("what a real model says isn't known")
    answer = lorax_client.call(lorax.url, "sync", **ASK, details=True, stop_sequences=["simulated"])
    assert (answer["finish_reason"], answer["text"].endswith("simulated")) == ("stop_sequence", True)


@pytest.mark.parametrize("how", HOW)
def test_a_response_format_is_followed(lorax_client: Session, lorax: Server, how: str) -> None:
    schema = {"type": "object", "properties": {"vote": {"type": "string", "enum": ["yes", "no"]}}, "required": ["vote"]}
    wanted = {"type": "json_object", "schema": schema}
    outcome = lorax_client.call(lorax.url, how, prompt="Vote yes or no.", max_new_tokens=60, response_format=wanted)
    assert json.loads(outcome["text"])["vote"] in {"yes", "no"}
