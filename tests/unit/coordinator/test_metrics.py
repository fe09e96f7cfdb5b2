"""What the metrics say of members and batches, and that no label grows without bounds."""

import asyncio
import re

import httpx
import pytest

from boardroom.api.ask import AnswerStatus, EngineName
from boardroom.coordinator.http.metrics_pages import Page, merged
from boardroom.coordinator.metrics import Metrics
from boardroom.coordinator.response import Usage
from unit.coordinator.standing_board import ROLES, Board, Standing, agent, served, simulated_lorax, standing, until
from unit.engine.scripted_lorax import Call, ScriptedLorax


def sample(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def agents(metrics: Metrics) -> set[str]:
    """Every value of the label agent."""
    samples = (s for family in metrics.registry.collect() for s in family.samples)
    return {s.labels["agent"] for s in samples if "agent" in s.labels}


def speak(metrics: Metrics, *names: str) -> None:
    for name in names:
        metrics.answered(name, EngineName.LORAX, 0.2, Usage(prompt_tokens=7, completion_tokens=3), cold=True)
        metrics.missing(name, AnswerStatus.FAILED, "timeout")
        metrics.adapter_failed(name, failed=False)


def test_the_series_of_members_that_are_gone_are_dropped() -> None:
    metrics = Metrics()
    metrics.set_members(["ceo", "cfo"])
    speak(metrics, "ceo", "cfo")
    metrics.set_members(["ceo"])
    assert agents(metrics) == {"ceo"}


def test_who_has_no_seat_is_counted_without_a_name() -> None:
    metrics = Metrics()
    metrics.set_members(["ceo"])
    metrics.missing("sixteenth", AnswerStatus.ABSENT, "not_sent")
    metrics.answered("gone", EngineName.LORAX, 0.2, Usage(), cold=False)
    assert agents(metrics) == {""}
    absent = {"agent": "", "engine": "", "status": "absent", "cause": "not_sent"}
    assert sample(metrics, "boardroom_member_answers_total", **absent) == 1


def test_a_member_that_comes_back_begins_anew() -> None:
    metrics = Metrics()
    for names in (["ceo"], [], ["ceo"]):
        metrics.set_members(names)
        if names:
            speak(metrics, "ceo")
    labels = {"agent": "ceo", "engine": "lorax", "status": "answered", "cause": ""}
    assert sample(metrics, "boardroom_member_answers_total", **labels) == 1


@pytest.mark.parametrize(
    ("latencies", "expected"), [([1, 1, 3], 3.0), ([2, 2, 2, 2], 1.0), ([1], None), ([], None), ([0, 0], None)]
)
def test_the_straggler_ratio_is_slowest_over_median(latencies: list[float], expected: float | None) -> None:
    metrics = Metrics()
    metrics.batch(5, 3.0, latencies)
    count = sample(metrics, "boardroom_batch_straggler_ratio_count")
    total = sample(metrics, "boardroom_batch_straggler_ratio_sum")
    assert (count, total) == ((1, expected) if expected else (0, 0))


async def test_a_question_tells_of_each_member_of_the_batch_and_of_the_gpu(board: Board) -> None:
    async with simulated_lorax() as (url, _), standing(board, url) as stand:
        await stand.wait_ready(*ROLES)
        answer = await stand.answer()
        metrics = stand.coordinator.metrics
        tokens = {a["agent"]: a["usage"]["completion_tokens"] for a in answer["answers"]}
        counted = {
            name: sample(metrics, "boardroom_member_tokens_total", agent=name, engine="lorax", kind="completion")
            for name in tokens
        }
        busy = sample(metrics, "boardroom_lorax_busy_seconds_total") or 0.0
        separate = sample(metrics, "boardroom_estimated_separate_gpu_seconds_total", basis="batch") or 0.0
        straggling = sample(metrics, "boardroom_batch_straggler_ratio_count")
    assert counted == tokens
    assert straggling == 1
    assert 0 < busy < separate


async def test_an_adapter_that_fails_is_named_by_its_member(board: Board) -> None:
    board.write(agent("CEO"), agent("CLO"))  # nobody made the CLO's adapter
    async with simulated_lorax() as (url, _), standing(board, url) as stand:
        metrics = stand.coordinator.metrics
        await until(lambda: sample(metrics, "boardroom_member_adapter_failed", agent="clo"))
        await stand.wait_ready("CEO")
        assert sample(metrics, "boardroom_member_adapter_failed", agent="ceo") == 0


async def test_errors_are_counted_by_code_and_mode_also_in_streams(board: Board) -> None:
    async def break_(call: Call) -> None:
        await (call.say("yes") if call.is_probe else call.fail(422, "too long", "validation"))

    async with served(ScriptedLorax(break_)) as url, standing(board, url) as stand:
        await stand.wait_ready(*ROLES)
        await stand.ask(coordination_mode="sequential")
        await stand.ask(coordination_mode="sequential", stream=True)
        metrics = stand.coordinator.metrics
        labels = {"route": "/v1/ask", "mode": "sequential"}
        await until(lambda: (sample(metrics, "boardroom_errors_total", **labels, error="question_refused") or 0) >= 2)
        plain = sample(metrics, "boardroom_requests_total", **labels, code="422")
    assert plain == 2


async def lorax_page(stand: Standing) -> httpx.Response:
    async with httpx.AsyncClient(base_url=stand.metrics_url, trust_env=False) as client:
        return await client.get("/metrics/lorax")


async def test_loraxs_own_page_is_passed_on(board: Board) -> None:
    async with simulated_lorax() as (url, _), standing(board, url) as stand:
        await stand.wait_ready(*ROLES)
        await stand.answer()
        response = await lorax_page(stand)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert re.search(r'^lorax_request_success\{replica="[^"]+"\} [1-9]\d*$', response.text, re.MULTILINE)
    assert "# TYPE lorax_request_duration histogram" in response.text


@pytest.mark.parametrize(
    ("url", "status", "words"),
    [("http://127.0.0.1:9", 502, "LoRAX is starting"), (None, 200, "# This board runs without LoRAX.")],
)
async def test_where_there_is_no_lorax_its_page_says_so(board: Board, url: str | None, status: int, words: str) -> None:
    async with standing(board, url) as stand:
        response = await lorax_page(stand)
    assert response.status_code == status
    assert words in response.text


async def test_who_asks_for_a_page_within_a_second_gets_the_same() -> None:
    made, now = [], [0.0]

    async def make() -> bytes:
        await asyncio.sleep(0)
        made.append(now[0])
        return str(now[0]).encode()

    page = Page(make, lambda: now[0])
    together = await asyncio.gather(page.read(), page.read())
    now[0] = 0.9
    soon = await page.read()
    now[0] = 1.0
    later = await page.read()
    assert ([*together], soon, later) == ([b"0.0", b"0.0"], b"0.0", b"1.0")
    assert made == [0.0, 1.0]


def test_the_pages_of_several_servers_are_one_with_each_family_together() -> None:
    page = b'# TYPE a counter\na 1\n\n# TYPE b histogram\nb_bucket{le="+Inf"} 2\nb_sum 0.5\nb_count 2\n\n'
    assert merged({"one": page, "two": page}).decode().splitlines() == [
        "# TYPE a counter",
        'a{replica="one"} 1',
        'a{replica="two"} 1',
        "# TYPE b histogram",
        *(
            line
            for name in ("one", "two")
            for line in (
                f'b_bucket{{replica="{name}",le="+Inf"}} 2',
                f'b_sum{{replica="{name}"}} 0.5',
                f'b_count{{replica="{name}"}} 2',
            )
        ),
    ]
