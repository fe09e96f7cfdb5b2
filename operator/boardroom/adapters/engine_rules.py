"""Engine rules: data that describes the adapters that an engine applies as they were trained, and checks with it."""

import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from typing import Any

import msgspec

from boardroom.adapters.families import architecture

Layout = tuple[str, ...]
"""The modules of one architecture that an engine adapts, as paths with `*` for the layer's number."""


class EngineRules(msgspec.Struct, frozen=True):
    """The rules of an engine."""

    name: str
    ignored_fields: tuple[str, ...]
    plain_initialisations: frozenset[str]
    least_rank_per_shard: int
    rank_multiple: int
    layouts: Mapping[str, Layout]
    architectures: Mapping[str, str]

    def layout(self, base_model: str | None) -> Layout | None:
        """Return the layout of a base model; None if its architecture or the layout is unknown."""
        name = self.architectures.get(architecture(base_model or "") or "")
        return self.layouts[name] if name is not None else None

    def layout_of(self, modules: Iterable[str]) -> Layout | None:
        """Return a layout that has all of these modules; None: no such layout."""
        paths = tuple(modules)
        return next((layout for layout in self.layouts.values() if all(place(path, layout) for path in paths)), None)

    def ignored_field(self, config: Mapping[str, Any]) -> str | None:
        """Return the first field of a config that is set and has no effect in the engine."""
        return next((field for field in self.ignored_fields if _is_set(config.get(field))), None)

    def changes_base(self, initialisation: object) -> bool:
        """Whether this init_lora_weights changed the base model, so that the adapter no longer fits the named one."""
        return isinstance(initialisation, str) and initialisation.lower() not in self.plain_initialisations

    def rank_problem(self, rank: int, shards: int = 1) -> str | None:
        """Return why the engine scales weights of this rank wrongly, and the remedy; None if it scales them rightly."""
        least = self.least_rank_per_shard * shards
        served = least if rank <= least else -(-rank // self.rank_multiple) * self.rank_multiple
        if served == rank:
            return None
        return (
            f"its rank is {rank}, and {self.name} pads it to {served} and then divides lora_alpha by that: most of its "
            f"weights would count {rank}/{served} of what they should; train it with r={served}, or pad lora_A with "
            f"rows and lora_B with columns of zeros to r={served} and multiply lora_alpha by {served}/{rank}"
        )


@cache
def engine_rules(engine: str = "lorax") -> EngineRules:
    """Return the rules of an engine."""
    text = resources.files(__package__).joinpath(f"{engine}.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), EngineRules)


def place(module: str, layout: Layout) -> str | None:
    """Return the layout's entry of a module; None if the layout has none."""
    return next((entry for entry in layout if _matches(module, entry)), None)


def missing(modules: Iterable[str], layout: Layout) -> list[str]:
    """Return the modules that the layout does not have."""
    return [module for module in modules if place(module, layout) is None]


def _matches(module: str, entry: str) -> bool:
    here, there = module.split("."), entry.split(".")
    return len(here) == len(there) and all(a in b.split("|") for a, b in zip(here, there, strict=True))


def _is_set(value: object) -> bool:
    """Whether a field is set. 0 is a value: layers_to_transform 0 is the first layer."""
    return value is not None and value is not False and value not in ("", [], {})
