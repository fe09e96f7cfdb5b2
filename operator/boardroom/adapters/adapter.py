"""One adapter as it lies on disk."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from boardroom.adapters.config import read_config
from boardroom.adapters.digest import Digests
from boardroom.adapters.files import CONFIG, File, adapter_files
from boardroom.adapters.problem import Problem, ProblemError
from boardroom.adapters.weights import check_lora, read_header


@dataclass(frozen=True, slots=True)
class Adapter:
    """What a directory says of its adapter; what can't be known is None, and then there is a problem."""

    path: Path
    digest: str | None = None
    """`sha256:<hex>` over names and contents of adapter_config.json and *.safetensors."""
    rank: int | None = None
    base_model: str | None = None
    target_modules: tuple[str, ...] = ()
    """Those that the weights are for; of weights that can't be read, what the config says, which may be a pattern."""
    size_bytes: int = 0
    """Bytes of *.safetensors."""
    problem: Problem | None = None


def read(directory: Path, *, root: Path | None = None, digests: Digests | None = None) -> Adapter:
    """Read one adapter directory. Never raises for what is on disk: that is the adapter's problem.

    With a (resolved) root, links that leave it are refused. Reads every byte for the digest, so keep it off an
    event loop.
    """
    try:
        files = adapter_files(directory, root)
    except ProblemError as error:
        return Adapter(directory, problem=error.problem)
    return describe(directory, files, digests or Digests())


def describe(directory: Path, files: Mapping[str, File], digests: Digests) -> Adapter:
    """The same, of a directory whose files are known."""
    return _described(_measured(directory, files, digests), files)


def _measured(directory: Path, files: Mapping[str, File], digests: Digests) -> Adapter:
    weights = _weights(files)
    hashed = [*weights, *([files[CONFIG]] if CONFIG in files else [])]
    try:
        digest = digests.of(hashed) if hashed else None
    except OSError as error:
        problem = Problem("AdapterInvalid", f"{directory}: {error}; make the files readable for the pod's user")
        return Adapter(directory, problem=problem)
    return Adapter(directory, digest=digest, size_bytes=sum(file.size for file in weights))


def _described(adapter: Adapter, files: Mapping[str, File]) -> Adapter:
    if adapter.problem is not None:
        return adapter
    try:
        config = read_config(adapter.path, files)
    except ProblemError as error:
        return replace(adapter, problem=error.problem)
    described = replace(
        adapter, rank=config.rank or None, base_model=config.base_model, target_modules=config.target_modules
    )
    if config.unsupported is not None:
        return replace(described, problem=Problem("UnsupportedFeature", config.unsupported))
    try:
        return replace(described, target_modules=_check_weights(adapter.path, files, config.rank))
    except ProblemError as error:
        return replace(described, problem=error.problem)


def _check_weights(directory: Path, files: Mapping[str, File], rank: int) -> tuple[str, ...]:
    weights = _weights(files)
    pickled = [name for name in files if name.endswith(".bin")]
    if not weights and pickled:
        raise ProblemError(
            "UnsupportedFeature",
            f"{directory / pickled[0]}: a pickle, and only safetensors are read; "
            "save the adapter again with safe_serialization=True",
        )
    if not weights:
        raise ProblemError(
            "AdapterMissing", f"{directory}: no *.safetensors file; copy adapter_model.safetensors there"
        )
    return check_lora({name: (file, tensor) for file in weights for name, tensor in read_header(file).items()}, rank)


def _weights(files: Mapping[str, File]) -> list[File]:
    return [file for name, file in files.items() if name.endswith(".safetensors")]
