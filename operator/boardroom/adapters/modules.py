"""The modules that an adapter's weights change, and whether an engine applies all of them."""

import re
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from boardroom.adapters.engine_rules import EngineRules, Layout, missing, place
from boardroom.adapters.files import File
from boardroom.adapters.problem import ProblemError
from boardroom.adapters.weights import Tensor

Tensors = Mapping[str, tuple[File, Tensor]]
"""The tensors of an adapter by name."""

_NAME: Final = re.compile(r"base_model\.model\.(?P<path>[^.]+(?:\.[^.]+)*)\.lora_(?P<matrix>[AB])\.weight")
_LAYER: Final = re.compile(r"0|[1-9][0-9]{0,4}")
_WRAPPERS: Final = frozenset(
    {
        *("base_model", "base_layer", "modules_to_save", "original_module"),
        *("module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"),
    }
)
"""Wrappers that PEFT, DDP, torch.compile, FSDP and checkpointing add to names; no model has modules of these names."""
_FLOATS: Final = frozenset({"F16", "BF16", "F32", "F64", "F8_E4M3", "F8_E5M2"})
_EMBEDDINGS: Final = ("embed_tokens.weight", "lm_head.weight", "base_layer.weight", "wte.weight")
_MATRIX: Final = 2
"""Dimensions of a LoRA matrix."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The two matrices of one module; `module` is its path with `*` for the layer's number."""

    path: str
    module: str
    layer: int | None
    file: Path
    shapes: tuple[tuple[int, ...], tuple[int, ...]]


def check_modules(tensors: Tensors, rank: int, base_model: str | None, rules: EngineRules) -> tuple[str, ...]:
    """Return the modules that the weights change, sorted.

    Raises ProblemError unless the engine applies every tensor, in every layer.
    """
    names = sorted(name for name in tensors if ".lora_A." in name)
    if not names:
        path = next((file.path for file, _ in tensors.values()), "*.safetensors")
        raise ProblemError(
            "AdapterInvalid", f"{path}: holds no lora_A tensor; save the adapter itself, not the merged model"
        )
    pairs = [_pair(tensors, name, rank, rules) for name in names]
    _refuse_others(tensors.keys() - {*names, *map(_lora_b, names)}, tensors, rules)
    modules = tuple(sorted({pair.module for pair in pairs}))
    layout = rules.layout(base_model)
    if layout is not None and (why := ignored(modules, layout, rules)):
        raise ProblemError("UnsupportedFeature", f"{pairs[0].file}: {why}")
    _check_layers(pairs, layout or rules.layout_of(modules), rules)
    return modules


def ignored(modules: Iterable[str], layout: Layout, rules: EngineRules) -> str | None:
    """Return why the engine ignores some of these modules in this layout, and the remedy; None if it ignores none."""
    odd = missing(modules, layout)
    if not odd:
        return None
    known = sorted({_last(entry) for entry in layout})
    if any(_last(module) in known for module in odd):
        remedy = f"it looks for {', '.join(layout)}; save it with PEFT's save_pretrained from the unwrapped base model"
    else:
        remedy = f"train it with target_modules out of {', '.join(known)}"
    names = dict.fromkeys(module if _last(module) in known else _last(module) for module in odd)
    return (
        f"its weights change {', '.join(names)}, which {rules.name} ignores in a model of this family: it would answer "
        f"wrongly; {remedy}"
    )


def last_parts(modules: Iterable[str]) -> tuple[str, ...]:
    """Return the last parts of the modules' paths, as in target_modules, sorted."""
    return tuple(sorted({_last(module) for module in modules}))


def _pair(tensors: Tensors, name: str, rank: int, rules: EngineRules) -> Pair:
    file, a = tensors[name]
    other = _lora_b(name)
    if other not in tensors:
        raise ProblemError("AdapterInvalid", f"{file.path}: tensor {name} has no {other}; save the adapter again")
    b = tensors[other][1]
    if a.shape[:1] != (rank,) or b.shape[1:] != (rank,) or len(a.shape) != _MATRIX:
        raise ProblemError(
            "AdapterInvalid",
            f"{file.path}: tensor {name} has shape {list(a.shape)}, its lora_B {list(b.shape)}, and "
            f"adapter_config.json says r={rank}; copy config and weights of the same training run",
        )
    if not {a.dtype, b.dtype} <= _FLOATS:
        raise ProblemError(
            "UnsupportedFeature",
            f"{file.path}: tensor {name} or its lora_B holds {a.dtype if a.dtype not in _FLOATS else b.dtype}, and "
            f"{rules.name} would read these numbers as they are; save the adapter in bfloat16, float16 or float32",
        )
    path = _path(file, name, rules)
    module, layer = _numbered(path)
    return Pair(path, module, layer, file.path, (a.shape, b.shape))


def _path(file: File, name: str, rules: EngineRules) -> str:
    match = _NAME.fullmatch(name)
    if match is None or not _WRAPPERS.isdisjoint(match["path"].split(".")):
        raise ProblemError(
            "UnsupportedFeature",
            f"{file.path}: tensor {name} is not named base_model.model.<the base model's module>.lora_A.weight, and "
            f"{rules.name} looks for no other name: it would ignore it and answer wrongly; save the adapter with "
            "PEFT's save_pretrained from the unwrapped model, or rename its tensors",
        )
    return match["path"]


def _refuse_others(others: AbstractSet[str], tensors: Tensors, rules: EngineRules) -> None:
    if not others:
        return
    name = min(others)
    copied = name.endswith(_EMBEDDINGS)
    remedy = "save it with save_embedding_layers=False, if they were not trained; else " if copied else ""
    raise ProblemError(
        "UnsupportedFeature",
        f"{tensors[name][0].path}: tensor {name} is no lora_A with its lora_B, and {rules.name} ignores it, which "
        f"gives wrong answers; {remedy}train without what it belongs to (a bias, embeddings, modules_to_save)",
    )


def _check_layers(pairs: list[Pair], layout: Layout | None, rules: EngineRules) -> None:
    """Raise ProblemError unless every layer has a module's weights, in one shape: the engine drops them otherwise."""
    places: dict[str, dict[int, Pair]] = {}
    for pair in pairs:
        if pair.layer is not None:
            entry = (layout and place(pair.module, layout)) or pair.module
            places.setdefault(entry, {})[pair.layer] = pair
    most: dict[str, int] = {}
    for entry, layers in places.items():
        stack = entry.partition("*")[0]
        most[stack] = max(most.get(stack, 0), 1 + max(layers))
    for entry, layers in places.items():
        first, count = next(iter(layers.values())), most[entry.partition("*")[0]]
        if len(layers) != count:
            raise ProblemError(
                "UnsupportedFeature",
                f"{first.file}: its weights for {entry} are for the layers {_ranges(layers)} of {count}, and "
                f"{rules.name} drops them all unless every layer of the base model has them; train it on all layers",
            )
        odd = next((pair for pair in layers.values() if pair.shapes != first.shapes), None)
        if odd is not None:
            raise ProblemError(
                "AdapterInvalid",
                f"{odd.file}: the weights for {odd.path} have the shapes {_shapes(odd)}, and those for {first.path} "
                f"{_shapes(first)}; {rules.name} can't load them together: save the adapter again",
            )


def _numbered(path: str) -> tuple[str, int | None]:
    """Return the path with `*` for the layer's number, and that number; None if the path has none."""
    parts = path.split(".")
    at = next((at for at, part in enumerate(parts) if _LAYER.fullmatch(part)), None)
    if at is None:
        return path, None
    return ".".join([*parts[:at], "*", *parts[at + 1 :]]), int(parts[at])


def _lora_b(name: str) -> str:
    return name.replace(".lora_A.", ".lora_B.")


def _last(module: str) -> str:
    return module.rsplit(".", 1)[-1]


def _shapes(pair: Pair) -> str:
    return f"{list(pair.shapes[0])} and {list(pair.shapes[1])}"


def _ranges(numbers: Iterable[int]) -> str:
    """Return the numbers as ranges: 0-3, 5, 7-8."""
    runs: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if runs and runs[-1][1] == number - 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in runs)
