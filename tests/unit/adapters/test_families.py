"""A base model's architecture by its name."""

import pytest

from boardroom.adapters.families import architecture


@pytest.mark.parametrize(
    "same",
    ["mistralai/Mistral-7B-v0.1", "MISTRALAI/mistral-7b-instruct-v0.1", "somebody/Mistral-7B/", "/models/mistral-7b"],
)
def test_case_owner_and_folder_do_not_matter(same: str) -> None:
    assert architecture(same) == architecture("mistralai/Mistral-7B-Instruct-v0.1") is not None


@pytest.mark.parametrize("unknown", ["", "/", "nobody/knows", "not-mistral"])
def test_a_name_that_says_nothing_has_none(unknown: str) -> None:
    assert architecture(unknown) is None
