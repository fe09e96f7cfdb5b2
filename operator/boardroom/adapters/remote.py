"""An adapter somewhere else: which files it has, and their bytes from any offset on."""

import hashlib
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, Protocol

from boardroom.adapters.files import CONFIG
from boardroom.adapters.problem import ProblemError

MAX_FILES: Final = 64
CHUNK_BYTES: Final = 1 << 17
"""What a broken connection may cost."""
SOCKET_SECONDS: Final = 30.0
"""How long a server may say nothing."""

_WANTED: Final = re.compile(rf"{re.escape(CONFIG)}|[A-Za-z0-9][A-Za-z0-9._-]{{0,200}}\.safetensors")


@dataclass(frozen=True, slots=True)
class Checksum:
    """What the far side says that a file's bytes hash to: `sha256`, `git` (sha1 of a git blob) or `md5`."""

    kind: str
    hexdigest: str

    def hasher(self, size: int) -> "hashlib._Hash":
        """A hash to feed with the file's bytes."""
        if self.kind == "git":
            return hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)
        return hashlib.new(self.kind, usedforsecurity=False)


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file; without a checksum only its size is known."""

    name: str
    size: int
    version: str
    """Changes when the file's bytes do."""
    checksum: Checksum | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """All files of an adapter at one revision: the hub's commit, or a hash over the objects of a prefix."""

    revision: str
    files: tuple[RemoteFile, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


class Remote(Protocol):
    """Blocking, and so for a thread. Raises ProblemError with the reason for everything that can go wrong."""

    @property
    def source(self) -> str:
        """The source's key, as messages name it."""

    def resolve(self) -> Manifest:
        """What there is now."""

    def open(self, manifest: Manifest, file: RemoteFile, offset: int) -> AbstractContextManager[Iterator[bytes]]:
        """The bytes of a file from `offset` on, in chunks."""


def manifest(source: str, revision: str, files: list[RemoteFile], others: list[str]) -> Manifest:
    """The adapter's own files out of a listing (names without folders); `others` are names that are not fetched.

    Raises ProblemError AdapterMissing, or UnsupportedFeature where there are only pickles.
    """
    chosen = sorted((file for file in files if wanted(file.name)), key=lambda file: (file.name != CONFIG, file.name))
    if not chosen or chosen[0].name != CONFIG:
        raise ProblemError(
            "AdapterMissing", f"{source}: holds no {CONFIG}; upload there what PEFT's save_pretrained wrote"
        )
    if len(chosen) == 1:
        pickled = next((name for name in others if name.endswith(".bin")), None)
        if pickled:
            raise ProblemError(
                "UnsupportedFeature",
                f"{source}: {pickled} is a pickle, and only safetensors are fetched; save the adapter again with "
                "safe_serialization=True",
            )
        raise ProblemError("AdapterMissing", f"{source}: holds no *.safetensors file; upload adapter_model.safetensors")
    if len(chosen) > MAX_FILES:
        raise ProblemError(
            "AdapterInvalid",
            f"{source}: holds {len(chosen)} safetensors files, more than {MAX_FILES}; this is no adapter",
        )
    return Manifest(revision, tuple(chosen))


def wanted(name: str) -> bool:
    """Whether a file is part of an adapter; nothing else is fetched."""
    return _WANTED.fullmatch(name) is not None
