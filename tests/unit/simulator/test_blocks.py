"""Blocks of the KV cache."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boardroom.simulator.router.blocks import BlockBudget, blocks_for


@pytest.mark.parametrize(("tokens", "blocks"), [(0, 0), (1, 1), (16, 1), (17, 2), (160, 10)])
def test_a_block_that_is_begun_counts_whole(tokens: int, blocks: int) -> None:
    assert blocks_for(tokens) == blocks


@given(st.integers(0, 500), st.lists(st.integers(1, 200)))
def test_no_more_is_reserved_than_there_is_and_all_of_it_comes_back(total: int, requests: list[int]) -> None:
    budget = BlockBudget(total)
    taken = [tokens for tokens in requests if budget.reserve(tokens)]
    assert 0 <= budget.free == budget.total - sum(map(blocks_for, taken))
    for tokens in taken:
        budget.release(tokens)
    assert budget.free == budget.total == total // 16


def test_what_does_not_fit_takes_nothing() -> None:
    budget = BlockBudget(32)
    assert (budget.reserve(33), budget.free, budget.reserve(32), budget.free) == (False, 2, True, 0)
