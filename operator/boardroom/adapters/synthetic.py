"""Writes small but real PEFT LoRA adapters, for demos and tests: deterministic, and different for each role."""

import array
import ctypes
import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson
import safetensors

from boardroom.adapters.engine_rules import engine_rules, missing
from boardroom.adapters.files import CONFIG
from boardroom.adapters.modules import last_parts

WEIGHTS: Final = "adapter_model.safetensors"
_SCALE: Final = 0.02 / 32768
_QUERY: Final = "model.layers.*.self_attn.q_proj"
_VALUE: Final = "model.layers.*.self_attn.v_proj"


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The sizes of the adapter's model; the defaults make an adapter of about 20 kB."""

    base_model: str = "mistralai/Mistral-7B-Instruct-v0.1"
    rank: int = 8
    layers: int = 2
    hidden: int = 64
    """Mistral-7B has 4096, and 32 layers. Its key and value projections are a quarter as wide, as here."""

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules with weights: query and value projections, or the first module of the base model's layout."""
        layout = engine_rules().layout(self.base_model) or (_QUERY, _VALUE)
        if not missing((_QUERY, _VALUE), layout):
            return _QUERY, _VALUE
        return (".".join(part.partition("|")[0] for part in layout[0].split(".")),)


def adapter_directory(role: str) -> str:
    """Return the default directory of a role's adapter."""
    return f"{role.lower()}_lora_adapter"


def make(directory: Path, roles: Iterable[str], shape: Shape) -> list[tuple[Path, bool]]:
    """Write one adapter per role; return each path and whether its files changed. Raises OSError."""
    paths = {role: directory / adapter_directory(role) for role in roles}
    return [(path, make_one(path, role, shape)) for role, path in paths.items()]


def make_one(path: Path, role: str, shape: Shape) -> bool:
    """Write the adapter of a role into a directory; return whether its files changed. Raises OSError."""
    path.mkdir(parents=True, exist_ok=True)
    changed = [_write(path / CONFIG, config_json(shape)), _write(path / WEIGHTS, weights(role, shape))]
    return any(changed)


def config_json(shape: Shape) -> bytes:
    """Return adapter_config.json with the fields of PEFT's save_pretrained."""
    fields: dict[str, Any] = {
        "alpha_pattern": {},
        "auto_mapping": None,
        "base_model_name_or_path": shape.base_model,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "init_lora_weights": True,
        "layers_pattern": None,
        "layers_to_transform": None,
        "lora_alpha": 2 * shape.rank,
        "lora_dropout": 0.0,
        "modules_to_save": None,
        "peft_type": "LORA",
        "r": shape.rank,
        "rank_pattern": {},
        "revision": None,
        "target_modules": list(last_parts(shape.modules)),
        "task_type": "CAUSAL_LM",
        "use_dora": False,
        "use_rslora": False,
    }
    return orjson.dumps(fields, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def weights(role: str, shape: Shape) -> bytes:
    """Return the safetensors file: lora_A and lora_B of each module in float32."""
    buffers: dict[str, tuple[list[int], bytearray]] = {}
    for layer in range(shape.layers):
        for module in shape.modules:
            width = max(1, shape.hidden // 4) if module == _VALUE else shape.hidden
            prefix = f"base_model.model.{module.replace('*', str(layer))}"
            for matrix, size in (("lora_A", [shape.rank, shape.hidden]), ("lora_B", [width, shape.rank])):
                name = f"{prefix}.{matrix}.weight"
                buffers[name] = size, _numbers(f"{role.lower()}\0{name}", size[0] * size[1])
    # safetensors reads the buffers by address, so `buffers` must keep them alive during the call.
    tensors = {
        name: safetensors.TensorSpec(
            dtype="float32",
            shape=size,
            data_ptr=ctypes.addressof(ctypes.c_char.from_buffer(data)),
            data_len=len(data),
        )
        for name, (size, data) in buffers.items()
    }
    return bytes(safetensors.serialize(tensors, {"format": "pt"}))


def _numbers(seed: str, count: int) -> bytearray:
    """Return numbers of about +-0.02, which depend on the seed only."""
    integers = array.array("h", hashlib.shake_256(seed.encode()).digest(2 * count))
    return bytearray(array.array("f", [integer * _SCALE for integer in integers]).tobytes())


def _write(path: Path, content: bytes) -> bool:
    if path.is_file() and path.read_bytes() == content:
        return False
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_bytes(content)
    partial.replace(path)
    return True
