"""What a board asks of its adapters beyond what their files must be."""

import pytest

from boardroom.adapters import families
from boardroom.adapters.compatibility import AdapterPolicy, check
from boardroom.adapters.engine_rules import engine_rules
from boardroom.adapters.protocol import AdapterFiles
from boardroom.api.boardroom import BoardroomSpec

ATTENTION = tuple(f"model.layers.*.self_attn.{name}" for name in ("k_proj", "q_proj", "v_proj"))
MLP = ("model.layers.*.mlp.gate_proj", "model.layers.*.mlp.up_proj")
EXPERTS = tuple(f"model.layers.*.block_sparse_moe.experts.0.{name}" for name in ("w1", "w2"))


def rules(model: str, **spec: object) -> AdapterPolicy:
    return AdapterPolicy.of(BoardroomSpec.model_validate({"model": {"id": model} | spec}))


@pytest.mark.parametrize(
    ("model", "modules", "ignored"),
    [
        ("mistralai/Mistral-7B-Instruct-v0.1", (*ATTENTION, *MLP, "lm_head"), None),
        ("mistralai/Mistral-7B-Instruct-v0.1", (*ATTENTION, "model.embed_tokens"), "embed_tokens"),
        ("mistralai/Mixtral-8x7B-v0.1", ATTENTION, None),
        ("mistralai/Mixtral-8x7B-v0.1", (*ATTENTION, *EXPERTS), "w1, w2"),
        ("google/gemma-2b", ("lm_head", *ATTENTION), "lm_head"),
        ("microsoft/phi-2", ("model.layers.*.self_attn.dense", "model.layers.*.mlp.fc1"), None),
        (
            "microsoft/Phi-3-mini-4k-instruct",
            ("model.layers.*.self_attn.o_proj", "model.layers.*.self_attn.qkv_proj"),
            None,
        ),
        (
            "microsoft/Phi-3-mini-4k-instruct",
            ("model.layers.*.self_attn.o_proj", "model.layers.*.self_attn.q_proj"),
            "q_proj",
        ),
        ("acme/board-7b", (*ATTENTION, "anything"), None),
        ("mistralai/Mistral-7B-Instruct-v0.1", (), None),
    ],
)
def test_modules_that_lorax_ignores_are_refused_by_name(
    model: str, modules: tuple[str, ...], ignored: str | None
) -> None:
    found = check(AdapterFiles(digest="sha256:x", rank=8, base_model=model, modules=modules), rules(model))
    assert found.problem == ("UnsupportedFeature" if ignored else None)
    if ignored:
        assert found.message.startswith(f"its weights change {ignored}, which LoRAX ignores")
        assert "target_modules out of" in found.message


def test_of_a_model_in_a_directory_the_adapter_itself_tells_the_family() -> None:
    finding = AdapterFiles(digest="sha256:x", rank=8, base_model="google/gemma-2b", modules=("lm_head",))
    assert check(finding, rules("/models/ours", source="Local")).problem == "UnsupportedFeature"


@pytest.mark.parametrize(
    ("model", "architecture"),
    [
        ("google/gemma-2-9b", "Gemma2ForCausalLM"),
        ("google/gemma-7b", "GemmaForCausalLM"),
        ("google/gemma-2b", "GemmaForCausalLM"),
        ("mistralai/Mixtral-8x7B", "MixtralForCausalLM"),
        ("microsoft/Phi-3-mini-4k-instruct", "Phi3ForCausalLM"),
        ("unsloth/Phi-3-mini-4k-instruct", "MistralForCausalLM"),
        ("Qwen/Qwen1.5-7B", "Qwen2ForCausalLM"),
        ("Qwen/Qwen3-8B", None),
        ("ibm-granite/granite-3b-code-base", None),
        ("./saves/llama-3-merged/", "LlamaForCausalLM"),
        ("Qwen/Qwen2.5-7B", "Qwen2ForCausalLM"),
        ("acme/board-7b", None),
    ],
)
def test_the_longest_beginning_of_a_name_counts(model: str, architecture: str | None) -> None:
    assert families.architecture(model) == architecture


@pytest.mark.parametrize(("shards", "rank", "padded"), [(1, 8, None), (2, 16, None), (2, 8, 16), (4, 16, 32)])
def test_a_rank_that_lorax_pads_on_the_boards_gpus_is_refused(shards: int, rank: int, padded: int | None) -> None:
    spec = {"model": {"id": "mistralai/Mistral-7B-Instruct-v0.1"}, "lorax": {"gpu": {"count": shards}}}
    board = AdapterPolicy.of(BoardroomSpec.model_validate(spec))
    found = check(AdapterFiles(digest="sha256:x", rank=rank), board)
    assert found.problem == ("UnsupportedFeature" if padded else None)
    if padded:
        assert f"over {shards} GPUs: its rank is {rank}" in found.message
        assert f"train it with r={padded}" in found.message


def test_a_path_of_another_model_is_refused_though_its_last_part_is_known() -> None:
    """The config named no base model, so only the board can know."""
    text_part = ("model.language_model.layers.*.self_attn.q_proj",)
    found = check(AdapterFiles(digest="sha256:x", rank=8, modules=text_part), rules("mistralai/Mistral-7B-v0.1"))
    assert (found.problem, text_part[0] in found.message) == ("UnsupportedFeature", True)


def test_every_architecture_whose_modules_are_known_has_a_name_that_leads_to_it() -> None:
    known = set(engine_rules().architectures)
    names = ["bloomz-7b1", "c4ai-command-r-v01", "dbrx-instruct", "gpt2", "gemma-2b", "gemma-2-9b", "granite-3.1-8b"]
    names += ["llama-2-7b", "llama-3.2-11b-vision", "mistral-7b", "mixtral-8x7b", "phi-2", "phi-3-mini", "qwen-7b"]
    names += ["qwen2-7b", "solar-pro-preview"]
    assert {families.architecture(name) for name in names} == known


def test_every_layout_is_some_architectures() -> None:
    assert set(engine_rules().layouts) == set(engine_rules().architectures.values())
