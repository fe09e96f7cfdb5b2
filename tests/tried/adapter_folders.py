"""Adapter folders written by a program: a config as PEFT writes it, and weights of zeros under any names."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

RANK: Final = 8
LLAMA: Final = "meta-llama/Llama-3.1-8B-Instruct"
MISTRAL: Final = "mistralai/Mistral-7B-Instruct-v0.1"
MIXTRAL: Final = "mistralai/Mixtral-8x7B-Instruct-v0.1"
UNKNOWN: Final = "acme/board-7b"
ATTENTION: Final = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj")
QV: Final = ("self_attn.q_proj", "self_attn.v_proj")
MLP: Final = ("mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")
PEFT_FIELDS: Final[Mapping[str, Any]] = {
    "peft_type": "LORA",
    "task_type": "CAUSAL_LM",
    "r": RANK,
    "lora_alpha": 16,
    "lora_dropout": 0.05,
    "target_modules": ["q_proj", "v_proj"],
    "bias": "none",
    "inference_mode": True,
    "init_lora_weights": True,
    "fan_in_fan_out": False,
}
"""What every version of PEFT writes."""
PEFT_0_21: Final[Mapping[str, Any]] = {
    **dict.fromkeys(("alora_invocation_tokens", "arrow_config", "corda_config", "eva_config", "exclude_modules")),
    **dict.fromkeys(("kasa_config", "layer_replication", "layers_pattern", "layers_to_transform", "lora_ga_config")),
    **dict.fromkeys(("megatron_config", "modules_to_save", "monteclora_config", "revision", "target_parameters")),
    **dict.fromkeys(("trainable_token_indices", "use_bdlora", "velora_config", "auto_mapping")),
    **dict.fromkeys(("ensure_weight_tying", "lora_bias", "use_dora", "use_qalora", "use_rslora"), False),
    "alpha_pattern": {},
    "loftq_config": {},
    "rank_pattern": {},
    "megatron_core": "megatron.core",
    "peft_version": "0.21.2",
    "qalora_group_size": 16,
}
"""What PEFT 0.21 writes besides."""


@dataclass(frozen=True)
class Folder:
    """One row; `names` are tensors' names up to the matrix."""

    id: str
    names: tuple[str, ...]
    base: str | None = MISTRAL
    config: Mapping[str, Any] = field(default_factory=dict)
    suffixes: tuple[str, str] = (".lora_A.weight", ".lora_B.weight")
    more: tuple[str, ...] = ()
    """Tensors that are none of LoRA's."""
    problem: str | None = None
    said: tuple[str, ...] = ()


def layers(
    modules: tuple[str, ...] = QV, numbers: tuple[int, ...] = (0, 1), prefix: str = "base_model.model.model.layers."
) -> tuple[str, ...]:
    return tuple(f"{prefix}{number}.{module}" for number in numbers for module in modules)


QV_LAYERS: Final = layers()


def written(folder: Folder, directory: Path) -> Path:
    """The folder on disk, of matrices 8 by 16 and 16 by 8, or of the rank that the config has."""
    config = dict(PEFT_FIELDS) | {"base_model_name_or_path": folder.base} | dict(folder.config)
    rank = config["r"]
    shapes = {name: [rank] for name in folder.more}
    for name in folder.names:
        shapes |= {f"{name}{folder.suffixes[0]}": [rank, 16], f"{name}{folder.suffixes[1]}": [16, rank]}
    (directory / "adapter_config.json").write_text(json.dumps(config))
    (directory / "adapter_model.safetensors").write_bytes(safetensors_of(shapes))
    return directory


def safetensors_of(shapes: Mapping[str, list[int]], dtype: str = "BF16", size: int = 2) -> bytes:
    """A file of zeros."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, shape in shapes.items():
        begin, end = end, end + size * (shape[0] * (shape[1] if len(shape) > 1 else 1))
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}
    content = json.dumps(header).encode()
    return len(content).to_bytes(8, "little") + content + bytes(end)
