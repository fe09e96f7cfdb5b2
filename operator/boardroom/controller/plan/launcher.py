"""The flags and environment of lorax-launcher for a board (docs/lorax.md)."""

from collections.abc import Iterable

from boardroom.api.boardroom import BoardroomSpec
from boardroom.api.status import EffectiveSettings
from boardroom.controller.plan.blueprint import Blueprint
from boardroom.controller.plan.environment import variables
from boardroom.kube.kinds import Object

CACHE_PATH = "/data"
"""Directory of downloaded weights in the LoRAX container."""


def launcher_args(
    spec: BoardroomSpec, settings: EffectiveSettings, *, hostname: str = "0.0.0.0", preloaded: Iterable[str] = ()
) -> list[str]:
    """The launcher's arguments: ours, then the board's extraArgs, which may repeat none of ours (a CEL rule).

    `preloaded` are the paths of the adapters to load at the start.
    """
    flags: list[tuple[str, object | None]] = [
        ("--model-id", spec.model.id),
        ("--revision", spec.model.revision),
        ("--source", spec.model.source.lower()),
        ("--adapter-source", "local"),
        ("--hostname", hostname),
        ("--port", settings.port),
        ("--max-active-adapters", settings.adapter_cache_size),
        ("--max-concurrent-requests", settings.max_concurrent_requests),
        ("--max-input-length", spec.lorax.max_input_tokens),
        ("--max-total-tokens", spec.lorax.max_total_tokens),
        ("--quantize", spec.lorax.quantize),
        ("--dtype", spec.lorax.dtype),
        ("--num-shard", spec.lorax.shard_count if spec.lorax.shard_count > 1 else None),
    ]
    args = [arg for flag, value in flags if value is not None for arg in (flag, str(value))]
    adapters = [arg for path in preloaded for arg in ("--preloaded-adapter-ids", path)]
    if adapters:
        adapters += ["--preloaded-adapter-source", "local"]
    return [*args, *adapters, "--json-output", *spec.lorax.extra_args]


def environment(blueprint: Blueprint) -> list[Object]:
    """The field env of the LoRAX container."""
    env: list[Object] = [{"name": "HUGGINGFACE_HUB_CACHE", "value": CACHE_PATH}]
    token = blueprint.spec.model.token_secret_ref
    if token is not None:
        env.append({"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": token.to_object()}})
    return env + variables(blueprint.spec.lorax.env)
