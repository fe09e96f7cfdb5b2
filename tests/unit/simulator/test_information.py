"""What is asked of the server itself: signs of life, /info, metrics as JSON, and what only the simulator tells."""

import asyncio
from pathlib import Path

import pytest

from unit.simulator.simulation import MODEL, serving


@pytest.mark.parametrize("path", ["/", "/health", "/ping"])
async def test_health_says_nothing(path: str) -> None:
    async with serving() as lorax:
        response = await lorax.get(path)
    assert (response.status_code, response.content) == (200, b"")


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


async def test_startup_may_push_out_an_idle_adapter(ceo: Path) -> None:
    body = {"inputs": "x", "parameters": {"adapter_id": f"{ceo}", "max_new_tokens": 1}}
    async with serving(lorax_version="main") as lorax:
        await lorax.post("/generate", json=body)
        await lorax.get("/startup")
        assert (await lorax.get("/simulator/state")).json()["loaded"] == []


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


async def test_state_tells_what_lorax_hides(ceo: Path) -> None:
    async with serving() as lorax:
        await lorax.post("/generate", json={"inputs": "x", "parameters": {"adapter_id": f"{ceo}", "max_new_tokens": 1}})
        state = (await lorax.get("/simulator/state")).json()
    assert state == {
        "loaded": [f"{ceo}"],
        "loads": 1,
        "active": [f"{ceo}"],
        "pending": [],
        "queue": 0,
        "requests": 0,
        "gpu_seconds": 0.0,
        "last_step": 1,
        "profile": "instant",
    }
