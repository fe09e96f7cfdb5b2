"""The parameters of one member's generation: the question's win over its own, within its limits. Pure."""

import msgspec

from boardroom.api.ask import Parameters
from boardroom.api.boardagent import GenerationSpec


class SamplingParams(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine gets; `cut` says which of the question's parameters were above the member's limits."""

    max_new_tokens: int
    temperature: float
    top_p: float | None
    stop: tuple[str, ...]
    seed: int | None
    cut: tuple[str, ...] = ()


def settle(asked: Parameters, own: GenerationSpec) -> SamplingParams:
    """The question's parameter where it has one, else the member's; never above spec.generation.limits."""
    limits = own.limits
    tokens = own.max_new_tokens if asked.max_new_tokens is None else asked.max_new_tokens
    temperature = float(own.temperature or 0) if asked.temperature is None else asked.temperature
    most_tokens = tokens if limits.max_new_tokens is None else limits.max_new_tokens
    hottest = temperature if limits.temperature is None else float(limits.temperature)
    cut = []
    if asked.max_new_tokens is not None and tokens > most_tokens:
        cut.append(f"max_new_tokens {tokens} is cut to {most_tokens}")
    if asked.temperature is not None and temperature > hottest:
        cut.append(f"temperature {temperature:g} is cut to {hottest:g}")
    return SamplingParams(
        max_new_tokens=min(tokens, most_tokens),
        temperature=min(temperature, hottest),
        top_p=(float(own.top_p) if own.top_p else None) if asked.top_p is None else asked.top_p,
        stop=own.stop if asked.stop is None else asked.stop,
        seed=own.seed if asked.seed is None else asked.seed,
        cut=tuple(cut),
    )
