"""The metrics page: names, labels, buckets and text of LoRAX's."""

import asyncio
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from boardroom.simulator.router.metrics import Histogram, Metrics, number
from unit.simulator.simulation import Simulation, serving, simulate


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "1"), (0.5, "0.5"), (0.00015000000000000001, "0.00015000000000000001"), (1e-7, "0.0000001"), (0.0, "0")],
)
def test_a_number_is_written_as_rust_does(value: float, text: str) -> None:
    assert number(value) == text


def test_a_value_on_a_bound_is_in_its_bucket() -> None:
    histogram = Histogram((1.0, 2.0))
    for value in (1.0, 1.5, 3.0):
        histogram.observe(value)
    assert list(histogram.lines("x", "")) == [
        'x_bucket{le="1"} 1',
        'x_bucket{le="2"} 2',
        'x_bucket{le="+Inf"} 3',
        "x_sum 5.5",
        "x_count 3",
    ]


def test_a_page_without_events_is_empty() -> None:
    assert Metrics(4095, 4096).page() == ""


async def page() -> str:
    async with serving() as lorax:
        await lorax.post("/generate", json={"inputs": "Why?", "parameters": {"max_new_tokens": 3}})
        await lorax.post("/generate", json={"inputs": ""})
        await lorax.post("/generate", json={"inputs": "x", "parameters": {"adapter_id": "/models/nobody"}})
        return (await lorax.get("/metrics")).text


async def test_counters_have_no_total_suffix_and_labels_say_what_failed() -> None:
    families = (await page()).split("\n\n")
    counters = [family.splitlines()[1:] for family in families if family.startswith("# TYPE lorax_request_")]
    assert counters[:3] == [
        ["lorax_request_count 3"],
        ["lorax_request_success 1"],
        ['lorax_request_failure{err="validation"} 1', 'lorax_request_failure{err="download_adapter"} 1'],
    ]


async def test_every_family_of_lorax_is_there_and_nothing_about_adapters() -> None:
    families = {family.name: family.type for family in text_string_to_metric_families(await page())}
    duration = {f"lorax_request_{name}duration" for name in ("", "validation_", "queue_", "inference_")}
    histograms = duration | {
        "lorax_request_mean_time_per_token_duration",
        "lorax_request_input_length",
        "lorax_request_generated_tokens",
        "lorax_request_max_new_tokens",
        "lorax_batch_next_size",
        "lorax_batch_inference_duration",
    }
    assert {name for name, kind in families.items() if kind == "histogram"} == histograms
    assert {name for name, kind in families.items() if kind == "gauge"} == {
        "lorax_queue_length",
        "lorax_batch_current_size",
        "lorax_batch_current_max_tokens",
    }


async def test_the_buckets_are_loraxs() -> None:
    text = await page()

    def bounds(name: str) -> list[str]:
        return [line.split('le="')[1].split('"')[0] for line in text.splitlines() if line.startswith(f"{name}_bucket")]

    duration = bounds("lorax_request_duration")
    assert (len(duration), duration[0], duration[-1]) == (36, "0.00015000000000000001", "+Inf")
    assert len(bounds("lorax_batch_next_size")) == 1025
    assert bounds("lorax_request_max_new_tokens")[-2] == "4096"
    assert 60_000 < len(text) < 90_000


def test_a_newcomer_that_joins_a_running_batch_is_counted_by_why_it_was_let_in(tmp_path: Path) -> None:
    async def story(simulation: Simulation) -> str:
        running = asyncio.create_task(simulation.ask("", max_new_tokens=40, ignore_eos_token=True))
        await asyncio.sleep(0.1)
        await simulation.ask("", max_new_tokens=1)
        await running
        return simulation.engine.metrics.page()

    assert 'lorax_batch_concat{reason="backpressure"} 1' in simulate(tmp_path, story)
