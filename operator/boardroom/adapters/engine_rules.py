"""Which adapters an engine applies as they were trained: data for each engine, and what follows from it."""

import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from typing import Any

import msgspec

from boardroom.adapters.families import architecture

Layout = tuple[str, ...]
"""The modules that an engine has a place for in one architecture, as paths with `*` for the layer's number."""


class EngineRules(msgspec.Struct, frozen=True):
    """One engine's rules."""

    name: str
    ignored_fields: tuple[str, ...]
    plain_initialisations: frozenset[str]
    least_rank_per_shard: int
    rank_multiple: int
    layouts: Mapping[str, Layout]
    architectures: Mapping[str, str]

    def layout(self, base_model: str | None) -> Layout | None:
        """The layout of a base model; None where its name doesn't tell the architecture, or the engine has no rule."""
        found = self.architectures.get(architecture(base_model or "") or "")
        return self.layouts[found] if found is not None else None

    def layout_of(self, modules: Iterable[str]) -> Layout | None:
        """A layout that has all of these modules; None where there is none."""
        wanted = tuple(modules)
        return next((layout for layout in self.layouts.values() if all(place(m, layout) for m in wanted)), None)

    def ignored_field(self, config: Mapping[str, Any]) -> str | None:
        """The first field that is set and has no effect in the engine."""
        return next((field for field in self.ignored_fields if _is_set(config.get(field))), None)

    def changes_base(self, initialisation: object) -> bool:
        """Whether an adapter with this init_lora_weights belongs to another base model than the one it names."""
        return isinstance(initialisation, str) and initialisation.lower() not in self.plain_initialisations

    def rank_problem(self, rank: int, shards: int = 1) -> str | None:
        """Why the engine scales weights of this rank wrongly, and what to do; None where it doesn't."""
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
    """The rules of an engine."""
    text = resources.files(__package__).joinpath(f"{engine}.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), EngineRules)


def place(module: str, layout: Layout) -> str | None:
    """The entry of the layout that a module belongs to."""
    return next((entry for entry in layout if _matches(module, entry)), None)


def missing(modules: Iterable[str], layout: Layout) -> list[str]:
    """Those that the layout has no place for."""
    return [module for module in modules if place(module, layout) is None]


def _matches(module: str, entry: str) -> bool:
    here, there = module.split("."), entry.split(".")
    return len(here) == len(there) and all(a in b.split("|") for a, b in zip(here, there, strict=True))


def _is_set(value: object) -> bool:
    """Zero counts: layers_to_transform 0 is the first layer."""
    return value is not None and value is not False and value not in ("", [], {})
