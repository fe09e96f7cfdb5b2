"""Finds, checks and reads adapters as LoRAX's server does, with LoRAX's error messages to the letter.

LoRAX reads an adapter twice: it checks the files at a download, and reads the tensors at each load. Everything here
reads the disk, so callers use a thread.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import safetensors

from boardroom.adapters import Digests, read
from boardroom.adapters.files import File, adapter_files
from boardroom.adapters.problem import ProblemError
from boardroom.adapters.weights import read_header

SOURCES: Final = ("hub", "local", "s3", "pbase")
_SHORTEST_LOCAL_ID: Final = 5


class SourceError(Exception):
    """An error of LoRAX's server; str() is LoRAX's message."""


@dataclass(frozen=True, slots=True)
class Weights:
    """An adapter as it was when it was loaded."""

    digest: str
    size_bytes: int
    base_model: str | None


class AdapterSources:
    """Finds adapters on disk: local directories, and those in a Hugging Face cache. Uses no network."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._digests = Digests()

    def download(self, adapter_id: str, source: str, api_token: str | None) -> int:
        """Check that the adapter exists; return the bytes of its weights. Raises SourceError."""
        directory = self._directory("downloading", adapter_id, source, api_token)
        _load_config(directory)
        try:
            return sum(_weight_bytes(file) for file in _weight_files(adapter_id, directory))
        except OSError as error:
            raise SourceError(str(error)) from error

    def load(self, adapter_id: str, source: str, api_token: str | None) -> Weights:
        """Read the adapter as it is now; its files may have changed since the download. Raises SourceError."""
        directory = self._directory("loading", adapter_id, source, api_token)
        config = _load_config(directory)
        for name, file in adapter_files(directory, root=None).items():
            if name.endswith(".safetensors"):
                _check_tensors(file)
        adapter = read(directory, digests=self._digests)
        if adapter.digest is None or not any(directory.glob("*.safetensors")):
            raise SourceError(f"No local weights found in {adapter_id} with extension .safetensors")
        base = config.get("base_model_name_or_path")
        return Weights(adapter.digest, adapter.size_bytes, base if isinstance(base, str) else None)

    def _directory(self, action: str, adapter_id: str, source: str, api_token: str | None) -> Path:
        if source.lower() not in SOURCES:
            raise SourceError(f"Invalid source '{source}' when {action} adapter '{adapter_id}'")
        if source.lower() == "local":
            if len(adapter_id) < _SHORTEST_LOCAL_ID:
                raise SourceError(f"model_id '{adapter_id}' is too short for prefix filtering")
            return self._cache / adapter_id  # an absolute adapter_id replaces the cache
        if source.lower() == "pbase" and api_token is None:
            raise SourceError("api_token must be provided to for a model of source pbase")
        return self._snapshot(adapter_id)

    def _snapshot(self, repository: str) -> Path:
        """Return the newest cached revision of a hub repository; a path that doesn't exist if there is none."""
        folder = self._cache / f"models--{repository.replace('/', '--')}"
        try:
            revision = (folder / "refs" / "main").read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            revision = "main"
        return folder / "snapshots" / revision


def _load_config(directory: Path) -> dict[str, Any]:
    path = directory / "adapter_config.json"
    try:
        config = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        full_model = directory / "config.json"
        tried = full_model if full_model.exists() else None
        raise SourceError(f"No valid adapter config file found: tried None and {tried}") from None
    except (OSError, ValueError) as error:  # ValueError: not JSON, not UTF-8, or a name with a null byte
        raise SourceError(str(error)) from error
    if not isinstance(config, dict):
        raise SourceError(f"'{type(config).__name__}' object has no attribute 'items'")
    return config


def _weight_files(adapter_id: str, directory: Path) -> list[Path]:
    files = sorted(directory.glob("*.safetensors"))
    if files:
        return files
    if any(directory.glob("*.bin")):
        # LoRAX would convert the pickles in place, which a read-only mount refuses.
        raise SourceError(
            'Error while serializing: I/O error: Os { code: 30, kind: ReadOnlyFilesystem, message: "Read-only file '
            'system" }'
        )
    raise SourceError(f"No local weights found in {adapter_id} with extension .bin")


def _weight_bytes(file: Path) -> int:
    """Return the tensors' bytes on the GPU, from the header alone, with LoRAX's checks."""
    size = file.stat().st_size
    if size < 8:  # noqa: PLR2004 (the length field's width)
        raise SourceError(f"Length of safetensor file less than 8 bytes: {file}")
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if 8 + length > size:
            raise SourceError(f"Header extends past end of file: {file}")
        try:
            header = json.loads(stream.read(length))
        except ValueError as error:
            raise SourceError(str(error)) from error
    if not isinstance(header, dict):
        raise SourceError(f"'{type(header).__name__}' object has no attribute 'get'")
    offsets = [
        entry["data_offsets"] for entry in header.values() if isinstance(entry, dict) and "data_offsets" in entry
    ]
    try:
        return max(end for _, end in offsets) - min(begin for begin, _ in offsets) if offsets else size
    except (TypeError, ValueError) as error:
        raise SourceError(str(error)) from error


def _check_tensors(file: File) -> None:
    try:
        read_header(file)
    except ProblemError:
        try:
            safetensors.deserialize(file.path.read_bytes())  # the library's own message says what is wrong
        except (OSError, safetensors.SafetensorError) as error:
            # LoRAX opens the file instead of reading it whole, which changes the library's message a little.
            raise SourceError(str(error).replace("deserializing:", "deserializing header:")) from error
