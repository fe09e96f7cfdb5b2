"""The flags and environment of lorax-launcher, out of a board's spec (LORAX.md, "Launcher")."""

from collections.abc import Iterable

from boardroom.api.boardroom import BoardroomSpec
from boardroom.api.status import EffectiveSettings
from boardroom.controller.plan.blueprint import Blueprint
from boardroom.controller.plan.environment import variables
from boardroom.kube.kinds import Object

CACHE_PATH = "/data"
"""Where LoRAX keeps downloaded weights."""


def launcher_args(
    spec: BoardroomSpec, settings: EffectiveSettings, *, hostname: str = "0.0.0.0", preloaded: Iterable[str] = ()
) -> list[str]:
    """The launcher's arguments: ours first, then the board's extraArgs, which may not name one of ours (CEL).

    `preloaded` are the adapters to load at the start, by path.
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
    given = [word for flag, value in flags if value is not None for word in (flag, str(value))]
    adapters = [word for path in preloaded for word in ("--preloaded-adapter-ids", path)]
    if adapters:
        adapters += ["--preloaded-adapter-source", "local"]
    return [*given, *adapters, "--json-output", *spec.lorax.extra_args]


def environment(blueprint: Blueprint) -> list[Object]:
    """The container's environment."""
    env: list[Object] = [{"name": "HUGGINGFACE_HUB_CACHE", "value": CACHE_PATH}]
    token = blueprint.spec.model.token_secret_ref
    if token is not None:
        env.append({"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": token.to_object()}})
    return env + variables(blueprint.spec.lorax.env)
