"""What the metrics say of members and batches, and that no label grows without bounds."""

import pytest

from boardroom.api.ask import AnswerStatus, EngineName
from boardroom.coordinator.metrics import Metrics
from boardroom.coordinator.response import Usage


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
