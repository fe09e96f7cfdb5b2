"""What steps of the GPU cost, by the simulator's model."""

import pytest

from boardroom.simulator.model_server.cost import CostModel


def test_decoding_costs_more_with_more_sequences_context_and_adapters() -> None:
    cost = CostModel.named("a100-80gb-7b")
    one, thirty_two = cost.decode_seconds(1, 128, 0), cost.decode_seconds(32, 32 * 128, 0)
    assert (round(one * 1000), round(thirty_two * 1000), round(cost.decode_seconds(32, 32 * 2048, 0) * 1000)) == (
        11,
        14,
        35,
    )
    assert cost.decode_seconds(1, 128, 1) - one == pytest.approx(0.002117)
