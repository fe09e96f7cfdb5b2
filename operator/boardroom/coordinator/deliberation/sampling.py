"""The parameters of one member's generation: the question's override the member's own, within its limits. Pure."""

import msgspec

from boardroom.api.ask import Parameters
from boardroom.api.boardagent import GenerationSpec


class SamplingParams(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters for the engine. `clamped` names the question's parameters that were above the member's limits."""

    max_new_tokens: int
    temperature: float
    top_p: float | None
    stop: tuple[str, ...]
    seed: int | None
    clamped: tuple[str, ...] = ()


def resolve(requested: Parameters, defaults: GenerationSpec) -> SamplingParams:
    """The question's parameter if it has one, else the member's; never above spec.generation.limits."""
    limits = defaults.limits
    tokens = defaults.max_new_tokens if requested.max_new_tokens is None else requested.max_new_tokens
    temperature = float(defaults.temperature or 0) if requested.temperature is None else requested.temperature
    most_tokens = tokens if limits.max_new_tokens is None else limits.max_new_tokens
    hottest = temperature if limits.temperature is None else float(limits.temperature)
    clamped = []
    if requested.max_new_tokens is not None and tokens > most_tokens:
        clamped.append(f"max_new_tokens {tokens} is cut to {most_tokens}")
    if requested.temperature is not None and temperature > hottest:
        clamped.append(f"temperature {temperature:g} is cut to {hottest:g}")
    return SamplingParams(
        max_new_tokens=min(tokens, most_tokens),
        temperature=min(temperature, hottest),
        top_p=(float(defaults.top_p) if defaults.top_p else None) if requested.top_p is None else requested.top_p,
        stop=defaults.stop if requested.stop is None else requested.stop,
        seed=defaults.seed if requested.seed is None else requested.seed,
        clamped=tuple(clamped),
    )
