"""`make attribution` in small: thousands of answers while everything around them moves."""

from collections.abc import Mapping
from typing import Any

import pytest
from bench.attribution import Story, broken_promises, tell


@pytest.fixture(scope="module")
def guarded() -> Mapping[str, Any]:
    return tell(Story(answers=4000, seed=2))


def test_every_answer_through_the_coordinator_is_written_by_the_weights_that_it_names(
    guarded: Mapping[str, Any],
) -> None:
    assert broken_promises({"rows": [guarded]}) == []
    assert (guarded["right"], guarded["base_model"]) == (guarded["texts"], 0)


def test_all_that_was_to_go_wrong_went_wrong(guarded: Mapping[str, Any]) -> None:
    """Else the test above would tell nothing."""
    trouble = ("added", "removed", "replaced", "killed", "terminated", "named_absences", "refused", "left")
    assert [name for name in trouble if not guarded[name]] == []
    assert guarded["loads"] > 10 * guarded["removed"]


def test_with_too_little_memory_for_all_adapters_nobody_is_answered_by_anothers_weights_either() -> None:
    little = tell(Story(answers=1000, memory_for=4, seed=2))
    assert broken_promises({"rows": [little]}) == []
    assert little["right"] == little["texts"]


@pytest.mark.parametrize(("memory_for", "wrong"), [(None, ("base_model",)), (4, ("base_model", "mixed"))])
def test_plain_clients_of_the_same_lorax_are_answered_by_the_base_model(
    memory_for: int | None, wrong: tuple[str, ...]
) -> None:
    plain = tell(Story(answers=2000, guarded=False, memory_for=memory_for))
    assert [name for name in wrong if not plain[name]] == []


@pytest.mark.parametrize("name", ["base_model", "mixed", "other_member", "unnamed_absences", "aborts"])
def test_a_broken_promise_is_told(guarded: Mapping[str, Any], name: str) -> None:
    [told] = broken_promises({"rows": [{**guarded, name: 2}]})
    assert told == f"2 of {guarded['texts']} answers through the coordinator: {name.replace('_', ' ')}"
