"""Parses adapter_config.json, and finds the PEFT features that the engine would silently ignore."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from boardroom.adapters.content import wrong_content
from boardroom.adapters.engine_rules import EngineRules, engine_rules
from boardroom.adapters.files import CONFIG, File, unreadable
from boardroom.adapters.problem import ProblemError

MAX_BYTES: Final = 1 << 20
MAX_RANK: Final = 4096
_MAX_NAME: Final = 512
"""The longest name of a base model that a BoardAgent's status holds."""

_RETRAIN: Final = "train without it, or merge the adapter into the base model"


@dataclass(frozen=True, slots=True)
class AdapterConfig:
    """The properties in adapter_config.json that a LoRA server needs."""

    rank: int
    base_model: str | None
    target_modules: tuple[str, ...]
    unsupported: str | None
    """The message about the first feature that the engine would apply wrongly; None: no such feature."""


def read_config(directory: Path, files: Mapping[str, File], rules: EngineRules | None = None) -> AdapterConfig:
    """Parse adapter_config.json; raises ProblemError AdapterMissing or AdapterInvalid."""
    file = files.get(CONFIG)
    if file is None:
        raise ProblemError(
            "AdapterMissing", f"{directory / CONFIG}: no such file; save the adapter there with PEFT's save_pretrained"
        )
    if file.size > MAX_BYTES:
        raise ProblemError(
            "AdapterInvalid", f"{file.path}: {file.size} bytes, more than {MAX_BYTES}; this is no PEFT adapter_config"
        )
    fields = _fields(file)
    rank = _rank(file, fields)
    _check_alpha(file, fields)
    return AdapterConfig(
        rank=rank,
        base_model=_base_model(file, fields),
        target_modules=_target_modules(file, fields),
        unsupported=_unsupported(file, fields, rank, rules or engine_rules()),
    )


def _fields(file: File) -> dict[str, Any]:
    try:
        content = file.path.read_bytes()
        fields = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        remedy = wrong_content(content) or f"not JSON ({error}); save the adapter again with PEFT's save_pretrained"
        raise ProblemError("AdapterInvalid", f"{file.path}: {remedy}") from error
    except OSError as error:
        raise unreadable(file.path, error) from error
    if not isinstance(fields, dict):
        raise ProblemError("AdapterInvalid", f"{file.path}: not a JSON object; save the adapter again with PEFT")
    return fields


def _rank(file: File, fields: dict[str, Any]) -> int:
    rank = fields.get("r")
    if isinstance(rank, int) and not isinstance(rank, bool) and 0 < rank <= MAX_RANK:
        return rank
    if fields.get("peft_type", "LORA") != "LORA":  # other PEFT types have no rank; _unsupported reports them
        return 0
    raise ProblemError("AdapterInvalid", f"{file.path}: field r is {rank!r}; it must be the LoRA rank, 1 to {MAX_RANK}")


def _check_alpha(file: File, fields: dict[str, Any]) -> None:
    """LoRAX divides lora_alpha by r at each load; a missing one is 8, as in PEFT."""
    alpha = fields.get("lora_alpha", 8)
    if isinstance(alpha, int | float) and not isinstance(alpha, bool) and math.isfinite(alpha) and alpha != 0:
        return
    raise ProblemError(
        "AdapterInvalid",
        f"{file.path}: field lora_alpha is {alpha!r}; it must be a number other than 0, which is divided by r",
    )


def _base_model(file: File, fields: dict[str, Any]) -> str | None:
    base = fields.get("base_model_name_or_path")
    if base is None or (isinstance(base, str) and len(base) <= _MAX_NAME):
        return base or None
    raise ProblemError(
        "AdapterInvalid",
        f"{file.path}: field base_model_name_or_path is {base!r}; it must be the base model's id, of at most "
        f"{_MAX_NAME} characters",
    )


def _target_modules(file: File, fields: dict[str, Any]) -> tuple[str, ...]:
    modules = fields.get("target_modules")
    if modules is None:
        return ()
    if isinstance(modules, str):
        return (modules,)
    if isinstance(modules, list) and all(isinstance(module, str) for module in modules):
        return tuple(modules)
    raise ProblemError(
        "AdapterInvalid", f"{file.path}: field target_modules must be a list of module names, or one pattern"
    )


def _unsupported(file: File, fields: dict[str, Any], rank: int, rules: EngineRules) -> str | None:
    kind = fields.get("peft_type", "LORA")
    if kind != "LORA":
        return f"{file.path}: field peft_type is {kind!r}, and only LORA is served; train a LoRA adapter"
    if field := rules.ignored_field(fields):
        return f"{file.path}: field {field} is set and {rules.name} ignores it, which gives wrong answers; {_RETRAIN}"
    start = fields.get("init_lora_weights")
    if rules.changes_base(start):
        return (
            f"{file.path}: field init_lora_weights is {start!r}, which changes the base model before the training, and "
            f"{rules.name} adds the adapter to the base model as it is; save it anew with PEFT's save_pretrained and "
            "path_initial_model_for_weight_conversion, which makes a plain adapter of it, or train it with true"
        )
    why = rules.rank_problem(rank)
    return f"{file.path}: {why}" if why else None
