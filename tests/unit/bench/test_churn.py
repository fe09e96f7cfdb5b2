"""The churn that docs/performance.md tells of, in small."""

import pytest
from bench.churn import Case, compared


@pytest.mark.parametrize("per_second", [2.0, 20.0])
def test_through_the_coordinator_each_adapter_is_loaded_once_and_nobody_is_answered_by_anothers_weights(
    per_second: float,
) -> None:
    row = compared(Case(adapters=8, per_second=per_second, requests=80))
    assert (row["loads_through_us"], row["wrong_through_us"], row["failed_through_us"]) == (8, 0, 0)
    assert row["loads_alone"] >= 3 * row["loads_through_us"] or per_second > 2


def test_who_has_no_place_is_refused_and_the_others_are_loaded_once() -> None:
    row = compared(Case(adapters=8, per_second=20, requests=60, places=4))
    assert (row["loads_through_us"], row["wrong_through_us"]) == (4, 0)
    assert 0 < row["failed_through_us"] < 60
