"""Whether an adapter fits the base model, by their names."""

import pytest

from boardroom.simulator.model_server.compatibility import incompatibility

MISTRAL = "mistralai/Mistral-7B-Instruct-v0.1"


@pytest.mark.parametrize("trained_on", [None, "", MISTRAL, "mistralai/Mistral-7B-v0.1"])
def test_an_adapter_of_no_model_or_of_the_same_architecture_loads(trained_on: str | None) -> None:
    assert incompatibility("a", trained_on, MISTRAL) is None


@pytest.mark.parametrize("trained_on", ["google/gemma-2b", "nobody/knows"])
def test_an_adapter_of_another_or_an_unknown_architecture_does_not(trained_on: str) -> None:
    message = incompatibility("a", trained_on, MISTRAL) or ""
    assert message.startswith(f"Adapter 'a' is not compatible with model '{MISTRAL}'. Architectures differ: [")
    assert message.endswith(f"Use --model-id '{trained_on}' instead.")
