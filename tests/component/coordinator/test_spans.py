"""Traces: passed on as they come, and spans of our own at a real OTLP receiver where OTEL_* says so."""

import asyncio
import contextlib
import os
import threading
from collections.abc import AsyncIterator

import pytest

from boardroom.telemetry.tracing import tracer
from component.coordinator.otlp_receiver import Collector
from component.coordinator.standing_board import NAMES, ROLES, Board, Standing, agent, served, simulated_lorax, standing
from component.engine.scripted_lorax import Call, ScriptedLorax

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"
HEADERS = {"traceparent": f"00-{TRACE}-{CALLER}-01", "tracestate": "vendor=1"}
WORDS = (b"marzipan", b"nougat", b"truffle")


async def say(call: Call) -> None:
    await call.say("truffle answer")


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The environment without OTEL_*."""
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    return monkeypatch


@contextlib.asynccontextmanager
async def traced(board: Board, url: str, settings: pytest.MonkeyPatch, collector: Collector) -> AsyncIterator[Standing]:
    async with served(collector) as endpoint:
        settings.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        found = tracer(os.environ, "boardroom-coordinator", {"boardroom.board": "executive"})
        async with standing(board, url, tracer=found) as stand:
            yield stand


async def test_without_spans_the_callers_trace_goes_on_to_lorax(board: Board) -> None:
    lorax = ScriptedLorax(say)
    async with served(lorax) as url, standing(board, url) as stand:
        await stand.wait_ready(*ROLES)
        await stand.client.post("/v1/ask", json={"user_input": "And now?"}, headers=HEADERS)
        await stand.answer()
    passed = [(c.headers.get("traceparent"), c.headers.get("tracestate")) for c in lorax.calls if not c.is_probe]
    assert passed == [(HEADERS["traceparent"], "vendor=1")] * 5 + [(None, None)] * 5
    assert not any("traceparent" in c.headers for c in lorax.calls if c.is_probe)


async def test_a_trace_goes_on_to_standard_inference_and_in_streams(board: Board) -> None:
    standard = ScriptedLorax(say)
    async with (
        served(standard) as url,
        standing(board, None, standard_url=f"{url}/v1", standard_model="m") as stand,
    ):
        await stand.client.post("/v1/ask", json={"user_input": "And now?"}, headers=HEADERS)
        await stand.client.post("/v1/ask", json={"user_input": "And now?", "stream": True}, headers=HEADERS)
    assert [c.headers["traceparent"] for c in standard.calls] == [HEADERS["traceparent"]] * 10


async def test_a_question_its_batch_and_its_members_are_spans_of_the_callers_trace(
    board: Board, settings: pytest.MonkeyPatch
) -> None:
    collector = Collector()
    async with simulated_lorax() as (url, _), traced(board, url, settings, collector) as stand:
        await stand.wait_ready(*ROLES)
        await stand.client.post("/v1/ask", json={"user_input": "And now?"}, headers=HEADERS | {"x-request-id": "r1"})
    (question,) = collector.named("POST /v1/ask")
    (batch,) = collector.named("ask members")
    members = {span.attributes["boardroom.agent"]: span for span in collector.named("ask member")}
    assert {span.trace_id for span in collector.spans} == {TRACE}
    assert {span.state for span in collector.spans} == {"vendor=1"}
    assert (question.kind, question.parent_id) == ("server", CALLER)
    assert (batch.kind, batch.parent_id) == ("internal", question.span_id)
    assert sorted(members) == NAMES
    assert {(span.kind, span.parent_id) for span in members.values()} == {("client", batch.span_id)}
    assert question.attributes == {
        "http.route": "/v1/ask",
        "http.response.status_code": 200,
        "boardroom.request_id": "r1",
        "boardroom.mode": "parallel",
    }
    assert {k: batch.attributes[k] for k in ("boardroom.members", "boardroom.batch.size")} == {
        "boardroom.members": 5,
        "boardroom.batch.size": 5,
    }


async def test_a_members_span_says_what_spoke_and_how_long_it_took(board: Board, settings: pytest.MonkeyPatch) -> None:
    collector = Collector()
    async with simulated_lorax() as (url, _), traced(board, url, settings, collector) as stand:
        await stand.wait_ready(*ROLES)
        answer = await stand.answer(agents=["ceo"])
    (member,) = collector.named("ask member")
    said, (told,) = dict(member.attributes), answer["answers"]
    assert said.pop("boardroom.queue_ms") >= 0
    assert said.pop("boardroom.inference_ms") > 0
    assert said.pop("boardroom.replica")
    assert said == {
        "gen_ai.operation.name": "chat",
        "gen_ai.usage.input_tokens": told["usage"]["prompt_tokens"],
        "gen_ai.usage.output_tokens": told["usage"]["completion_tokens"],
        "boardroom.agent": "ceo",
        "boardroom.role": "CEO",
        "boardroom.engine": "lorax",
        "boardroom.adapter.path": told["adapter"]["path"],
        "boardroom.adapter.digest": told["adapter"]["digest"],
        "boardroom.cold_load": False,
    }


async def test_lorax_is_told_the_members_own_span(board: Board, settings: pytest.MonkeyPatch) -> None:
    collector, lorax = Collector(), ScriptedLorax(say)
    async with served(lorax) as url, traced(board, url, settings, collector) as stand:
        await stand.wait_ready(*ROLES)
        await stand.answer()
    passed = {tuple(c.headers["traceparent"].split("-")[1:3]) for c in lorax.calls if not c.is_probe}
    assert passed == {(span.trace_id, span.span_id) for span in collector.named("ask member")}


@pytest.mark.parametrize("stream", [False, True])
async def test_errors_are_marked_by_code_and_no_span_has_a_word(
    board: Board, settings: pytest.MonkeyPatch, stream: bool
) -> None:
    async def quote(call: Call) -> None:
        await (call.say("yes") if call.is_probe else call.fail(422, f"truffle {call.raw.decode()}", "validation"))

    board.write(*(agent(role, systemPrompt="nougat") for role in ROLES))
    collector = Collector()
    async with served(ScriptedLorax(quote)) as url, traced(board, url, settings, collector) as stand:
        await stand.wait_ready(*ROLES)
        await stand.ask(user_input="marzipan", stream=stream)
    (question,) = collector.named("POST /v1/ask")
    members = collector.named("ask member")
    assert (question.failed, question.attributes["error.type"]) == (True, "question_refused")
    assert [(m.failed, m.attributes["error.type"]) for m in members] == [(True, "invalid_request")] * 5
    assert [word for word in WORDS for body in collector.bodies if word in body] == []


async def test_a_member_whose_time_is_over_is_marked_as_cancelled(board: Board, settings: pytest.MonkeyPatch) -> None:
    async def hang(call: Call) -> None:
        await (call.say("yes") if call.is_probe else call.client_leaves())

    collector = Collector()
    async with served(ScriptedLorax(hang)) as url, traced(board, url, settings, collector) as stand:
        await stand.wait_ready(*ROLES)
        await stand.ask(timeout=0.2)
    assert [span.attributes["error.type"] for span in collector.named("ask member")] == ["cancelled"] * 5


async def test_the_sdks_own_variables_are_honoured(board: Board, settings: pytest.MonkeyPatch) -> None:
    settings.setenv("OTEL_SERVICE_NAME", "the-board")
    settings.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    settings.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20key")
    settings.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    settings.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
    collector = Collector()
    async with served(ScriptedLorax(say)) as url, traced(board, url, settings, collector) as stand:
        await stand.wait_ready(*ROLES)
        await stand.answer()  # nobody sampled it
        await stand.client.post("/v1/ask", json={"user_input": "And now?"}, headers=HEADERS)
    resource = {"service.name": "the-board", "deployment.environment.name": "test", "boardroom.board": "executive"}
    assert {span.trace_id for span in collector.spans} == {TRACE}
    assert collector.spans[0].resource.items() >= resource.items()
    assert {headers["authorization"] for headers in collector.headers} == {"Bearer key"}


async def test_a_collector_that_is_down_delays_no_stop(board: Board, settings: pytest.MonkeyPatch) -> None:
    settings.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    settings.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "5")
    before = set(threading.enumerate())
    found = tracer(os.environ, "boardroom-coordinator", {})
    async with served(ScriptedLorax(say)) as url, standing(board, url, tracer=found) as stand:
        await stand.wait_ready(*ROLES)
        answer = await stand.answer()
    assert answer["agents_involved"] == NAMES
    for thread in (t for t in set(threading.enumerate()) - before if t.daemon):
        # The exporter tries on for those 5 s, and its jitter would move Python's `random` under other tests.
        await asyncio.to_thread(thread.join, 60)
