"""Adapter folders as people bring them, written by a program: what LoRAX would apply passes, all else is named.

A row is the base model, changes of the config, the names of the tensors, and the problem that must come of it.
LoRAX's side of the rows was read in, and where it can run without a GPU run with, predibase/lorax at a7394ba.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from boardroom.adapters import read
from tried.adapter_folders import (
    ATTENTION,
    LLAMA,
    MISTRAL,
    MIXTRAL,
    MLP,
    PEFT_0_21,
    QV,
    QV_LAYERS,
    UNKNOWN,
    Folder,
    layers,
    written,
)


def passes(id_: str, names: tuple[str, ...], base: str | None = MISTRAL, **config: Any) -> Folder:
    return Folder(id_, names, base, config)


def config_passes(id_: str, **config: Any) -> Folder:
    return Folder(id_, layers(), MISTRAL, config)


def config_fails(
    id_: str, said: tuple[str, ...], config: Mapping[str, Any], problem: str = "UnsupportedFeature"
) -> Folder:
    return Folder(id_, layers(), MISTRAL, config, problem=problem, said=said)


def names_fail(
    id_: str, *said: str, names: tuple[str, ...] = QV_LAYERS, base: str | None = MISTRAL, **how: Any
) -> Folder:
    return Folder(id_, names, base, problem="UnsupportedFeature", said=said, **how)


EVERYDAY: Final = (
    passes("PEFT, its defaults for a Llama", layers(), LLAMA, **PEFT_0_21),
    passes("Unsloth, all seven modules", layers((*ATTENTION, *MLP)), "unsloth/Meta-Llama-3.1-8B-bnb-4bit", r=8),
    passes("Unsloth, Phi-3 in the layout of Mistral", layers((*ATTENTION, *MLP)), "unsloth/Phi-3-mini-4k-instruct"),
    passes("Unsloth, Phi-3.5 in the layout of Llama", layers(ATTENTION), "unsloth/Phi-3.5-mini-instruct-bnb-4bit"),
    passes("Axolotl, target_linear", layers((*ATTENTION, *MLP)), "NousResearch/Meta-Llama-3-8B", lora_alpha=32),
    passes(
        "LLaMA-Factory, a Qwen2.5", layers((*ATTENTION, *MLP)), "Qwen/Qwen2.5-7B-Instruct", target_modules="all-linear"
    ),
    passes("TRL, a pattern as target_modules", layers(), MISTRAL, target_modules=r".*\.(q|v)_proj"),
    passes("Mixtral, attention only", layers(ATTENTION), MIXTRAL),
    passes("Gemma", layers((*ATTENTION, *MLP)), "google/gemma-2b-it"),
    passes("Gemma 2", layers((*ATTENTION, *MLP)), "google/gemma-2-9b-it"),
    passes(
        "Phi-3",
        layers(("self_attn.qkv_proj", "self_attn.o_proj", "mlp.gate_up_proj")),
        "microsoft/Phi-3-mini-4k-instruct",
    ),
    passes("Phi-2", layers(("self_attn.q_proj", "self_attn.dense", "mlp.fc1")), "microsoft/phi-2"),
    passes(
        "Command R, attention and down_proj", layers((*ATTENTION, "mlp.down_proj")), "CohereForAI/c4ai-command-r-v01"
    ),
    passes("Granite", layers((*ATTENTION, *MLP)), "ibm-granite/granite-3.1-8b-instruct"),
    passes(
        "GPT-2",
        layers(("attn.c_attn", "attn.c_proj", "mlp.c_proj"), prefix="base_model.model.transformer.h."),
        "openai-community/gpt2",
    ),
    passes("a Llama's head", (*layers(), "base_model.model.lm_head"), LLAMA),
    passes("a base model in a directory", layers(), "/data/checkpoints/2026-11"),
    passes("no base model named", layers(), None),
    passes(
        "another family by an unknown name", layers(("attn.c_attn",), prefix="base_model.model.transformer.h."), UNKNOWN
    ),
    passes(
        "Llama 3.2 Vision, its text and cross attention",
        (
            *layers(QV, (0, 1, 2), "base_model.model.language_model.model.layers."),
            *layers(("cross_attn.q_proj", "cross_attn.v_proj"), (3,), "base_model.model.language_model.model.layers."),
            *layers(QV, (0, 1), "base_model.model.vision_model.transformer.layers."),
        ),
        "meta-llama/Llama-3.2-11B-Vision-Instruct",
    ),
    passes(
        "the same by an unknown name",
        (
            *layers(QV, (0, 1, 2), "base_model.model.language_model.model.layers."),
            *layers(("cross_attn.q_proj", "cross_attn.v_proj"), (3,), "base_model.model.language_model.model.layers."),
        ),
        UNKNOWN,
    ),
    passes("12 layers, in the order of their names", layers(numbers=(0, 1, 10, 11, 2, 3, 4, 5, 6, 7, 8, 9))),
)

HARMLESS_FIELDS: Final = (
    *(
        config_passes(f"init_lora_weights {value!r}", init_lora_weights=value)
        for value in (True, False, None, "gaussian", "eva", "orthogonal", "mica", "MiCA")
    ),
    config_passes("velora_config", velora_config={"num_groups": 64}),
    config_passes("arrow_config", arrow_config={"top_k": 3}),
    config_passes("corda_config of a converted adapter", corda_config={"corda_method": "ipm"}),
    config_passes("eva_config", eva_config={"rho": 2.0}),
    config_passes("loftq_config without its initialisation", loftq_config={"loftq_bits": 4}),
    config_passes("megatron_config", megatron_config={"tensor_model_parallel_size": 1}),
    config_passes("auto_mapping", auto_mapping={"base_model_class": "MistralForCausalLM"}),
    config_passes("exclude_modules", exclude_modules=["lm_head"]),
    config_passes("revision", revision="main"),
    config_passes("layers_pattern alone", layers_pattern="layers"),
    config_passes("layers_to_transform, empty", layers_to_transform=[]),
    config_passes("unsloth_fixed", unsloth_fixed=True),
    config_passes("a field that nobody knows", tomorrow={"a": 1}),
    config_passes("lora_alpha 0.5", lora_alpha=0.5),
)

OTHER_RESULTS: Final = (
    *(
        config_fails(
            f"init_lora_weights {value}",
            ("init_lora_weights", "path_initial_model_for_weight_conversion"),
            {"init_lora_weights": value},
        )
        for value in ("pissa", "pissa_niter_16", "olora", "OLoRA", "corda", "lora_ga", "loftq", "tomorrow")
    ),
    *(
        config_fails(name, (f"field {name} is set",), {name: value})
        for name, value in {
            "use_rslora": True,
            "use_dora": True,
            "rank_pattern": {"q_proj": 4},
            "alpha_pattern": {"q_proj": 4},
            "modules_to_save": ["lm_head"],
            "lora_bias": True,
            "layer_replication": [[0, 4]],
            "trainable_token_indices": [1],
            "target_parameters": ["mlp.experts.gate_up_proj"],
            "alora_invocation_tokens": [1, 2],
            "use_qalora": True,
            "use_bdlora": {"nblocks": 2},
            "kasa_config": {"beta": 0.0001},
            "monteclora_config": {"num_samples": 8},
        }.items()
    ),
    config_fails("layers_to_transform 0", ("field layers_to_transform is set",), {"layers_to_transform": 0}),
    Folder(
        "layers_to_transform [16, 17]",
        layers(numbers=(16, 17)),
        config={"layers_to_transform": [16, 17]},
        problem="UnsupportedFeature",
        said=("field layers_to_transform is set",),
    ),
    *(
        config_fails(f"lora_alpha {value!r}", ("field lora_alpha is",), {"lora_alpha": value}, "AdapterInvalid")
        for value in (None, "16", [16], True, 0)
    ),
    *(
        config_fails(f"rank {rank}", (f"its rank is {rank}", f"pads it to {padded}", f"r={padded}"), {"r": rank})
        for rank, padded in ((1, 8), (4, 8), (12, 16), (24, 32), (40, 48))
    ),
)

OTHER_NAMES: Final = (
    names_fail(
        "an adapter's name in the name",
        "lora_A.default.weight",
        suffixes=(".lora_A.default.weight", ".lora_B.default.weight"),
    ),
    names_fail(
        "another adapter's name", "lora_A.sales.weight", suffixes=(".lora_A.sales.weight", ".lora_B.sales.weight")
    ),
    names_fail(
        "a parameter, not a module",
        "no lora_A",
        names=(*layers(),),
        more=("base_model.model.model.layers.0.self_attn.q_proj.lora_A",),
    ),
    *(
        names_fail(name, prefix, names=layers(prefix=prefix), base=base)
        for base in (MISTRAL, UNKNOWN)
        for name, prefix in {
            "no prefix": "model.layers.",
            "half the prefix": "base_model.layers.",
            "the prefix twice": "base_model.model.base_model.model.model.layers.",
            "compiled by torch": "base_model.model._orig_mod.model.layers.",
            "wrapped by DDP": "base_model.model.module.model.layers.",
            "wrapped by FSDP": "base_model.model._fsdp_wrapped_module.model.layers.",
        }.items()
    ),
    names_fail(
        "trained without the head, as for embeddings",
        "its weights change layers.*.self_attn.q_proj",
        names=layers(prefix="base_model.model.layers."),
    ),
    names_fail(
        "a checkpointed layer",
        "_checkpoint_wrapped_module",
        names=layers(("_checkpoint_wrapped_module.self_attn.q_proj",)),
    ),
    names_fail(
        "a vision model's text part",
        "language_model.model.layers.*.self_attn.q_proj",
        "it looks for model.layers.*",
        names=layers(prefix="base_model.model.language_model.model.layers."),
    ),
    names_fail(
        "a newer vision model's text part",
        "model.language_model.layers.*.self_attn.q_proj",
        names=layers(prefix="base_model.model.model.language_model.layers."),
    ),
    names_fail(
        "GPT-2's path in a Mistral",
        "its weights change c_attn",
        names=layers(("attn.c_attn",), prefix="base_model.model.transformer.h."),
    ),
    names_fail(
        "a tower beside the language model",
        "vision_tower.layers.*.self_attn.q_proj",
        names=(*layers(), *layers(prefix="base_model.model.vision_tower.layers.")),
    ),
    names_fail(
        "LoRA of an embedding", "lora_embedding_A", more=("base_model.model.model.embed_tokens.lora_embedding_A",)
    ),
    names_fail(
        "embeddings that were saved along",
        "save_embedding_layers=False",
        more=("base_model.model.model.embed_tokens.weight",),
    ),
    names_fail("a bias", "no lora_A", more=("base_model.model.model.layers.0.self_attn.q_proj.bias",)),
    names_fail(
        "DoRA's vector", "no lora_A", more=("base_model.model.model.layers.0.self_attn.q_proj.lora_magnitude_vector",)
    ),
    names_fail(
        "experts of a Mixtral",
        "its weights change w1, w2",
        "target_modules out of k_proj",
        base=MIXTRAL,
        names=layers((*QV, "block_sparse_moe.experts.0.w1", "block_sparse_moe.experts.0.w2")),
    ),
    names_fail("a Mixtral's head", "lm_head", base=MIXTRAL, names=(*layers(), "base_model.model.lm_head")),
    names_fail("Phi-3's qkv_proj in a Mistral", "qkv_proj", names=layers(("self_attn.qkv_proj",))),
    names_fail("Llama's q_proj in a Phi-3", "q_proj", base="microsoft/Phi-3-mini-4k-instruct"),
    names_fail("gate_proj in a Command R", "gate_proj", base="CohereForAI/c4ai-command-r-v01", names=layers(MLP)),
    names_fail("the right module in the wrong place", "model.layers.*.mlp.q_proj", names=layers(("mlp.q_proj",))),
    names_fail("layers 30 and 31", "layers 30-31 of 32", names=layers(numbers=(30, 31))),
    names_fail("layers 0 and 2", "layers 0, 2 of 3", names=layers(numbers=(0, 2))),
    names_fail(
        "down_proj in one layer only",
        "mlp.down_proj are for the layers 1 of 2",
        names=(*layers(), *layers(("mlp.down_proj",), (1,))),
    ),
    names_fail(
        "v_proj in fewer layers",
        "self_attn.v_proj are for the layers 0-1 of 3",
        names=(*layers(), *layers(("self_attn.q_proj",), (2,))),
    ),
    names_fail("layers 0 and 2 of an unknown model", "layers 0, 2 of 3", base=UNKNOWN, names=layers(numbers=(0, 2))),
)

ROWS: Final = (*EVERYDAY, *HARMLESS_FIELDS, *OTHER_RESULTS, *OTHER_NAMES)


@pytest.mark.parametrize("folder", ROWS, ids=lambda folder: folder.id)
def test_an_adapter_that_lorax_applies_passes_and_every_other_is_named(folder: Folder, tmp_path: Path) -> None:
    problem = read(written(folder, tmp_path)).problem
    assert (problem.reason if problem else None) == folder.problem, problem
    if problem:
        assert [text for text in folder.said if text not in problem.message] == [], problem.message


def test_the_rows_are_told_apart_by_their_ids() -> None:
    ids = [(row.id, row.base) for row in ROWS]
    assert len(set(ids)) == len(ids)
