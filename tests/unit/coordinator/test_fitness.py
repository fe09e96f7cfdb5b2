"""What a board asks of its adapters beyond what their files must be."""

import pytest

from boardroom.adapters import families
from boardroom.api.boardroom import BoardroomSpec
from boardroom.coordinator.adapters import Finding
from boardroom.coordinator.fitness import Rules, fitted

ATTENTION = ("k_proj", "q_proj", "v_proj")
MLP = ("gate_proj", "up_proj")


def rules(model: str, **spec: object) -> Rules:
    return Rules.of(BoardroomSpec.model_validate({"model": {"id": model} | spec}))


@pytest.mark.parametrize(
    ("model", "modules", "ignored"),
    [
        ("mistralai/Mistral-7B-Instruct-v0.1", (*ATTENTION, *MLP, "lm_head"), None),
        ("mistralai/Mistral-7B-Instruct-v0.1", (*ATTENTION, "embed_tokens"), "embed_tokens"),
        ("mistralai/Mixtral-8x7B-v0.1", ATTENTION, None),
        ("mistralai/Mixtral-8x7B-v0.1", (*ATTENTION, "w1", "w2"), "w1, w2"),
        ("google/gemma-2b", ("lm_head", *ATTENTION), "lm_head"),
        ("microsoft/phi-2", ("dense", "fc1", "fc2"), None),
        ("microsoft/Phi-3-mini-4k-instruct", ("o_proj", "qkv_proj"), None),
        ("microsoft/Phi-3-mini-4k-instruct", ("o_proj", "q_proj"), "q_proj"),
        ("acme/board-7b", (*ATTENTION, "anything"), None),
        ("mistralai/Mistral-7B-Instruct-v0.1", (), None),
    ],
)
def test_modules_that_lorax_ignores_are_refused_by_name(
    model: str, modules: tuple[str, ...], ignored: str | None
) -> None:
    found = fitted(Finding(digest="sha256:x", rank=8, base_model=model, modules=modules), rules(model))
    assert found.problem == ("UnsupportedFeature" if ignored else None)
    if ignored:
        assert found.message.startswith(f"its weights change {ignored}, which LoRAX ignores")
        assert "target_modules out of" in found.message


def test_of_a_model_in_a_directory_the_adapter_itself_tells_the_family() -> None:
    finding = Finding(digest="sha256:x", rank=8, base_model="google/gemma-2b", modules=("lm_head",))
    assert fitted(finding, rules("/models/ours", source="Local")).problem == "UnsupportedFeature"


@pytest.mark.parametrize(
    ("model", "architecture"),
    [
        ("google/gemma-2-9b", "Gemma2ForCausalLM"),
        ("google/gemma-7b", "GemmaForCausalLM"),
        ("Qwen/Qwen2.5-7B", "Qwen2ForCausalLM"),
        ("acme/board-7b", None),
    ],
)
def test_the_longest_beginning_of_a_name_counts(model: str, architecture: str | None) -> None:
    assert families.architecture(model) == architecture


def test_every_architecture_whose_modules_are_known_has_a_name_that_leads_to_it() -> None:
    names = ["c4ai-command-r-v01", "gpt2", "gemma-2b", "gemma-2-9b", "llama-2-7b", "mistral-7b", "mixtral-8x7b"]
    names += ["phi-2", "phi-3-mini", "qwen2-7b"]
    assert [name for name in names if families.modules(name) is None] == []
