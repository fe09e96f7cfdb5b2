"""What the metrics say of members and batches, and that no label grows without bounds."""

import re

import httpx
import pytest

from boardroom.coordinator.metrics import Metrics
from component.coordinator.standing_board import ROLES, Board, Standing, agent, served, simulated_lorax, standing, until
from component.engine.scripted_lorax import Call, ScriptedLorax


def sample(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


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
