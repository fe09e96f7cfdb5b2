"""Whether an adapter fits its board, as far as its files tell: asked before LoRAX sees it. Pure."""

from dataclasses import dataclass, field, replace
from typing import Final

from boardroom.adapters.engine_rules import engine_rules
from boardroom.adapters.modules import ignored
from boardroom.api.boardroom import BoardroomSpec
from boardroom.api.quantity import quantity_bytes

MISSING: Final = "AdapterMissing"


@dataclass(frozen=True, kw_only=True)
class AdapterFiles:
    """What the sidecar says of an adapter's files."""

    digest: str | None = None
    rank: int | None = None
    base_model: str | None = None
    modules: tuple[str, ...] = ()
    """What its weights are for: paths in the base model, with `*` for the layer's number."""
    size_bytes: int = 0
    problem: str | None = None
    """Why it can't be served, in one word, or None."""
    message: str = ""
    progress: str = field(default="", compare=False)
    """How far a download is; it moves by itself, so it is no part of what was found."""


def missing_directory(path: str) -> AdapterFiles:
    """That the sidecar sees no such directory."""
    remedy = "put it there (boardroom adapters push), make it readable for the pod's user, or correct spec.adapter.path"
    return AdapterFiles(problem=MISSING, message=f"{path}: no such directory on the adapters volume; {remedy}")


@dataclass(frozen=True, kw_only=True)
class AdapterPolicy:
    """What a board asks of its adapters."""

    base_models: frozenset[str] | None = None
    """Names of the base model in lower case; None: any, because the model is known by a directory only."""
    model: str = ""
    shards: int = 1
    max_rank: int = 64
    max_bytes: int = 2 << 30

    @classmethod
    def of(cls, spec: BoardroomSpec) -> "AdapterPolicy":
        """The rules that a board's spec gives."""
        names = {*spec.adapters.base_models, *([spec.model.id] if spec.model.source == "Hub" else [])}
        return cls(
            base_models=frozenset(name.lower() for name in names) or None,
            model=spec.model.id,
            shards=spec.lorax.shard_count,
            max_rank=spec.adapters.max_rank,
            max_bytes=quantity_bytes(spec.adapters.max_size),
        )


def check(finding: AdapterFiles, rules: AdapterPolicy) -> AdapterFiles:
    """The finding, with the first problem that the board has with it."""
    if finding.problem is not None:
        return finding
    checks = (_base_model, _rank, _shards, _size, _modules)
    problem = next((found for check in checks if (found := check(finding, rules)) is not None), None)
    return replace(finding, problem=problem[0], message=problem[1]) if problem else finding


def _base_model(finding: AdapterFiles, rules: AdapterPolicy) -> tuple[str, str] | None:
    named = finding.base_model
    if named is None or rules.base_models is None or named.lower() in rules.base_models:
        return None
    return "BaseModelMismatch", (
        f"adapter_config.json names the base model {named!r} (base_model_name_or_path), and the board runs "
        f"{rules.model!r}; use an adapter of that model, or, where both names mean the same weights, add it to the "
        "Boardroom's spec.adapters.baseModels"
    )


def _rank(finding: AdapterFiles, rules: AdapterPolicy) -> tuple[str, str] | None:
    if finding.rank is None or finding.rank <= rules.max_rank:
        return None
    return "RankTooHigh", (
        f"its rank is {finding.rank}, and the Boardroom's spec.adapters.maxRank is {rules.max_rank}; train it with a "
        "lower r, or raise maxRank"
    )


def _shards(finding: AdapterFiles, rules: AdapterPolicy) -> tuple[str, str] | None:
    """A rank that LoRAX pads on one GPU is found without the board; on more of them it pads more."""
    why = engine_rules().rank_problem(finding.rank, rules.shards) if finding.rank is not None else None
    return ("UnsupportedFeature", f"the board shards its model over {rules.shards} GPUs: {why}") if why else None


def _size(finding: AdapterFiles, rules: AdapterPolicy) -> tuple[str, str] | None:
    if finding.size_bytes <= rules.max_bytes:
        return None
    return "TooLarge", (
        f"its weights have {finding.size_bytes} bytes, and the Boardroom's spec.adapters.maxSize is {rules.max_bytes}; "
        "train it with a lower rank or on fewer modules, or raise maxSize"
    )


def _modules(finding: AdapterFiles, rules: AdapterPolicy) -> tuple[str, str] | None:
    """LoRAX ignores weights for modules that it does not adapt, which gives wrong answers without a word."""
    engine = engine_rules()
    layout = engine.layout(rules.model) or engine.layout(finding.base_model)
    why = ignored(finding.modules, layout, engine) if layout else None
    return ("UnsupportedFeature", why) if why else None
