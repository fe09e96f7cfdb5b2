"""Which LoRAX server a batch goes to."""

from typing import Any

import pytest

from boardroom.coordinator.backends.load_balancing import Candidate, choose


def server(key: str, **what: Any) -> Candidate:
    usual: dict[str, Any] = {"running": True, "leaving": False, "ready": 5, "open": True, "load": 0}
    return Candidate(key=key, **(usual | what))


@pytest.mark.parametrize(
    ("servers", "chosen"),
    [
        pytest.param([], None, id="none of none"),
        pytest.param([server("a")], "a", id="the only one"),
        pytest.param([server("a", running=False)], "a", id="the only one, whose reason is the answer's"),
        pytest.param([server("a", running=False), server("b", ready=0, load=99)], "b", id="never one that is down"),
        pytest.param([server("a", running=None), server("b", load=9)], "b", id="rather one that was looked at"),
        pytest.param([server("a", running=False), server("b", running=None)], "b", id="rather a new one than one down"),
        pytest.param([server("a", leaving=True), server("b", ready=1)], "b", id="not one that is being ended"),
        pytest.param([server("a", leaving=True), server("b", running=False)], "a", id="but that before one down"),
        pytest.param([server("a", ready=4), server("b", load=50)], "b", id="warm before idle"),
        pytest.param([server("a", open=False), server("b", load=50)], "b", id="not one that loads"),
        pytest.param([server("a", open=False), server("b", ready=4)], "a", id="unless only it has them all"),
        pytest.param([server("a", load=6), server("b", load=5)], "b", id="the least to do"),
        pytest.param([server("b"), server("a")], "a", id="the same for all who look"),
    ],
)
def test_a_batch_goes_to(servers: list[Candidate], chosen: str | None) -> None:
    assert choose(servers) == chosen
