"""Adapter directories on disk: reads and checks them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from boardroom.adapters.config import read_config
from boardroom.adapters.digest import Digests
from boardroom.adapters.engine_rules import engine_rules
from boardroom.adapters.files import CONFIG, File, adapter_files
from boardroom.adapters.modules import check_modules, last_parts
from boardroom.adapters.problem import Problem, ProblemError
from boardroom.adapters.weights import Tensor, read_header


@dataclass(frozen=True, slots=True)
class Adapter:
    """The properties of an adapter. A field that can't be read is None; `problem` then says why."""

    path: Path
    digest: str | None = None
    """`sha256:<hex>` over names and contents of adapter_config.json and *.safetensors."""
    rank: int | None = None
    base_model: str | None = None
    target_modules: tuple[str, ...] = ()
    """The last names of the modules that the weights change; if these can't be read, the config's list or pattern."""
    modules: tuple[str, ...] = ()
    """The modules' paths in the base model, with `*` for the layer's number; empty if the weights can't be read."""
    size_bytes: int = 0
    """Bytes of *.safetensors."""
    problem: Problem | None = None


def read(directory: Path, *, root: Path | None = None, digests: Digests | None = None) -> Adapter:
    """Read an adapter directory. Errors on disk become the adapter's problem; this function raises nothing.

    With a (resolved) root, links that leave the root are refused. Reads every byte for the digest: use a thread.
    """
    try:
        files = adapter_files(directory, root)
    except ProblemError as error:
        return Adapter(directory, problem=error.problem)
    return describe(directory, files, digests or Digests())


def describe(directory: Path, files: Mapping[str, File], digests: Digests) -> Adapter:
    """Read an adapter from files that are listed already."""
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
        tensors = _tensors(adapter.path, files)
        modules = check_modules(tensors, config.rank, config.base_model, engine_rules())
    except ProblemError as error:
        return replace(described, problem=error.problem)
    return replace(described, target_modules=last_parts(modules), modules=modules)


def _tensors(directory: Path, files: Mapping[str, File]) -> dict[str, tuple[File, Tensor]]:
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
    tensors: dict[str, tuple[File, Tensor]] = {}
    for file in weights:
        for name, tensor in read_header(file).items():
            if name in tensors:
                raise ProblemError(
                    "AdapterInvalid",
                    f"{file.path}: tensor {name} is in {tensors[name][0].name} too, and which of them is read is not "
                    "certain; remove the file that is no part of the adapter",
                )
            tensors[name] = file, tensor
    return tensors


def _weights(files: Mapping[str, File]) -> list[File]:
    return [file for name, file in files.items() if name.endswith(".safetensors")]
