"""Compatibility of an adapter with its board, checked by the adapter's files before LoRAX sees them. No I/O."""

from dataclasses import dataclass, replace

from boardroom.adapters.engine_rules import engine_rules
from boardroom.adapters.modules import ignored
from boardroom.adapters.protocol import AdapterFiles
from boardroom.api.boardroom import BoardroomSpec
from boardroom.api.quantity import quantity_bytes


@dataclass(frozen=True, kw_only=True)
class AdapterPolicy:
    """A board's requirements for its adapters."""

    base_models: frozenset[str] | None = None
    """Names of the base model in lower case; None allows any, because only the model's directory is known."""
    model: str = ""
    shards: int = 1
    max_rank: int = 64
    max_bytes: int = 2 << 30

    @classmethod
    def of(cls, spec: BoardroomSpec) -> "AdapterPolicy":
        """Return the policy of a board's spec."""
        names = {*spec.adapters.base_models, *([spec.model.id] if spec.model.source == "Hub" else [])}
        return cls(
            base_models=frozenset(name.lower() for name in names) or None,
            model=spec.model.id,
            shards=spec.lorax.shard_count,
            max_rank=spec.adapters.max_rank,
            max_bytes=quantity_bytes(spec.adapters.max_size),
        )


def check(files: AdapterFiles, policy: AdapterPolicy) -> AdapterFiles:
    """Return the files with the first problem that the board has with them, if any."""
    if files.problem is not None:
        return files
    checks = (_base_model, _rank, _shards, _size, _modules)
    problem = next((problem for check in checks if (problem := check(files, policy)) is not None), None)
    return replace(files, problem=problem[0], message=problem[1]) if problem else files


def _base_model(files: AdapterFiles, policy: AdapterPolicy) -> tuple[str, str] | None:
    named = files.base_model
    if named is None or policy.base_models is None or named.lower() in policy.base_models:
        return None
    return "BaseModelMismatch", (
        f"adapter_config.json names the base model {named!r} (base_model_name_or_path), and the board runs "
        f"{policy.model!r}; use an adapter of that model, or, where both names mean the same weights, add it to the "
        "Boardroom's spec.adapters.baseModels"
    )


def _rank(files: AdapterFiles, policy: AdapterPolicy) -> tuple[str, str] | None:
    if files.rank is None or files.rank <= policy.max_rank:
        return None
    return "RankTooHigh", (
        f"its rank is {files.rank}, and the Boardroom's spec.adapters.maxRank is {policy.max_rank}; train it with a "
        "lower r, or raise maxRank"
    )


def _shards(files: AdapterFiles, policy: AdapterPolicy) -> tuple[str, str] | None:
    """LoRAX pads more on several GPUs (docs/lorax.md#rank-padding); padding on one GPU is found without the board."""
    why = engine_rules().rank_problem(files.rank, policy.shards) if files.rank is not None else None
    return ("UnsupportedFeature", f"the board shards its model over {policy.shards} GPUs: {why}") if why else None


def _size(files: AdapterFiles, policy: AdapterPolicy) -> tuple[str, str] | None:
    if files.size_bytes <= policy.max_bytes:
        return None
    return "TooLarge", (
        f"its weights have {files.size_bytes} bytes, and the Boardroom's spec.adapters.maxSize is {policy.max_bytes}; "
        "train it with a lower rank or on fewer modules, or raise maxSize"
    )


def _modules(files: AdapterFiles, policy: AdapterPolicy) -> tuple[str, str] | None:
    """LoRAX silently ignores weights for modules that it does not adapt (docs/lorax.md#silent-peft-features)."""
    engine = engine_rules()
    layout = engine.layout(policy.model) or engine.layout(files.base_model)
    why = ignored(files.modules, layout, engine) if layout else None
    return ("UnsupportedFeature", why) if why else None
