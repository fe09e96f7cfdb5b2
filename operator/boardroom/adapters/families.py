"""What a base model's name says of it: its architecture, and the modules whose LoRA weights LoRAX applies there."""

import tomllib
from functools import cache
from importlib import resources
from typing import Any


def architecture(model: str) -> str | None:
    """The architecture of a model by its name; None when the name says nothing."""
    name = model.rsplit("/", 1)[-1].lower()
    architectures: dict[str, str] = _known()["architectures"]
    prefix = max((prefix for prefix in architectures if name.startswith(prefix)), key=len, default=None)
    return architectures[prefix] if prefix is not None else None


def modules(model: str) -> frozenset[str] | None:
    """The last parts of the names of those modules; None where that can't be known."""
    found = _known()["modules"].get(architecture(model))
    return frozenset(found) if found is not None else None


@cache
def _known() -> dict[str, Any]:
    return tomllib.loads(resources.files(__package__).joinpath("families.toml").read_text(encoding="utf-8"))
