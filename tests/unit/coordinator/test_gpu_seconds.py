"""GPU-seconds: what is measured, what is estimated, and on which basis."""

from dataclasses import dataclass

import pytest

from boardroom.coordinator.backends.gpu_seconds import GpuSecondsMeter
from boardroom.coordinator.metrics import Metrics
from boardroom.engine.protocol import Generation


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


class Lorax:
    """Requests that come and go at times that a test says."""

    def __init__(self) -> None:
        self.clock = Clock(100.0)
        self.metrics = Metrics()
        self.occupancy = GpuSecondsMeter(self.clock, self.metrics)

    def batch(self, size: int, seconds: float, tokens: int, inference_ms: float | None = None) -> None:
        stays = [self.occupancy.request_started() for _ in range(size)]
        self.clock.now += seconds
        for stay in stays:
            self.occupancy.request_ended(stay, generation(tokens, inference_ms))

    def figures(self) -> dict[str, float]:
        read = self.metrics.registry.get_sample_value
        separate = "boardroom_estimated_separate_gpu_seconds_total"
        return {
            "busy": read("boardroom_lorax_busy_seconds_total") or 0.0,
            "alone": read(separate, {"basis": "alone"}) or 0.0,
            "batch": read(separate, {"basis": "batch"}) or 0.0,
        }


def generation(tokens: int, inference_ms: float | None = None) -> Generation:
    return Generation(
        text="yes", finish_reason="stop", prompt_tokens=9, completion_tokens=tokens, inference_ms=inference_ms
    )


def test_a_batch_holds_the_gpu_once_and_five_gpus_would_be_held_for_what_one_alone_takes() -> None:
    lorax = Lorax()
    lorax.batch(1, 2.0, tokens=100)
    assert lorax.figures() == {"busy": 2.0, "alone": 2.0, "batch": 0.0}
    lorax.batch(5, 2.5, tokens=100)  # the figures of the document that the project was made from
    assert lorax.figures() == pytest.approx({"busy": 2.0 + 2.5, "alone": 2.0 + 5 * 2.0, "batch": 0.0})


def test_until_one_was_alone_the_estimate_says_that_it_is_an_upper_bound() -> None:
    lorax = Lorax()
    lorax.batch(5, 2.5, tokens=100)
    assert lorax.figures() == {"busy": 2.5, "alone": 0.0, "batch": 12.5}


def test_a_member_in_a_batch_is_never_estimated_slower_alone_than_it_was() -> None:
    lorax = Lorax()
    lorax.batch(1, 4.0, tokens=100)
    lorax.batch(2, 2.0, tokens=100)
    assert lorax.figures() == pytest.approx({"busy": 6.0, "alone": 4.0 + 2 * 2.0, "batch": 0.0})


def test_the_engines_own_time_counts_where_it_says_one() -> None:
    lorax = Lorax()
    lorax.batch(1, 9.0, tokens=100, inference_ms=2000)  # it waited seven seconds for a load
    assert lorax.figures() == {"busy": 9.0, "alone": 2.0, "batch": 0.0}


def test_short_answers_teach_nothing_of_the_seconds_per_token() -> None:
    lorax = Lorax()
    lorax.batch(1, 1.0, tokens=1)
    assert lorax.occupancy.seconds_per_token is None


def test_overlapping_requests_are_counted_once_and_none_of_them_is_alone() -> None:
    lorax = Lorax()
    first = lorax.occupancy.request_started()
    lorax.clock.now += 1
    second = lorax.occupancy.request_started()
    lorax.clock.now += 1
    lorax.occupancy.request_ended(first, generation(100))
    lorax.clock.now += 1
    lorax.occupancy.request_ended(second)  # it failed
    lorax.clock.now += 50
    third = lorax.occupancy.request_started()
    lorax.clock.now += 1
    lorax.occupancy.request_ended(third, generation(100))
    assert lorax.figures() == {"busy": 4.0, "alone": 1.0, "batch": 2.0}


def test_a_lorax_that_is_never_idle_is_counted_as_it_goes() -> None:
    lorax = Lorax()
    first = lorax.occupancy.request_started()
    for _ in range(3):
        lorax.clock.now += 0.6
        second = lorax.occupancy.request_started()
        lorax.occupancy.request_ended(first)
        first = second
    counted = lorax.figures()["busy"]
    lorax.clock.now += 5.0
    lorax.occupancy.request_ended(first)
    assert (counted, lorax.figures()["busy"]) == pytest.approx((1.2, 6.8))
    lorax.clock.now += 100.0
    lorax.batch(1, 2.0, tokens=100)
    assert lorax.figures()["busy"] == pytest.approx(8.8)
