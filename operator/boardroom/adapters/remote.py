"""An adapter somewhere else: which files it has, and their bytes from any offset on."""

import hashlib
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Protocol

from boardroom.adapters.files import CONFIG, is_adapter_file
from boardroom.adapters.problem import ProblemError

MAX_FILES: Final = 64
MAX_METADATA_BYTES: Final = 4 << 20
"""Most that a server may say about its files; of ten thousand it says about 3 MB, and memory holds a multiple of it."""
METADATA_SECONDS: Final = 60.0
"""How long it may take to say that."""
CHUNK_BYTES: Final = 1 << 17
"""What a broken connection may cost."""
SOCKET_SECONDS: Final = 30.0
"""How long a server may say nothing."""

_MAX_WORDS: Final = 300


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
    chosen = sorted(
        (file for file in files if is_adapter_file(file.name)), key=lambda file: (file.name != CONFIG, file.name)
    )
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
    wrong = next((file for file in chosen if file.size < 0), None)
    if wrong:  # it would make room for another file's bytes
        raise ProblemError("DownloadFailed", f"{source}: its server says that {wrong.name} has {wrong.size} bytes")
    return Manifest(revision, tuple(chosen))


def adapter_file_names(source: str, names: Iterable[str]) -> list[str]:
    """The names among these that are an adapter's; raises ProblemError AdapterInvalid where they are too many."""
    chosen = [name for name in names if is_adapter_file(name)]
    if len(chosen) > MAX_FILES:
        raise ProblemError(
            "AdapterInvalid", f"{source}: holds {len(chosen)} adapter files, more than {MAX_FILES}; this is no adapter"
        )
    return chosen


def read_metadata(source: str, chunks: Iterable[bytes]) -> bytes:
    """What a server says about its files, whole. Raises ProblemError DownloadFailed past a bound in bytes or time."""
    said = bytearray()
    deadline = time.monotonic() + METADATA_SECONDS
    for chunk in chunks:
        said += chunk
        late = time.monotonic() > deadline
        if late or len(said) > MAX_METADATA_BYTES:
            bound = f"{METADATA_SECONDS:.0f} s" if late else f"{MAX_METADATA_BYTES} bytes"
            raise ProblemError(
                "DownloadFailed",
                f"{source}: what its server says about its files does not end within {bound}, the most that is read; "
                "name a repository or prefix of one adapter, and see that the endpoint in spec.adapter is right",
            )
    return bytes(said)


def refuse_page(source: str, endpoint: str, status: int, content_type: str, remedy: str) -> None:
    """Raises ProblemError DownloadFailed where a server answers with a page for people: a console, a login."""
    broken = status >= HTTPStatus.INTERNAL_SERVER_ERROR  # what stands before the server says that, in HTML too
    if not broken and content_type.partition(";")[0].strip().lower() == "text/html":
        raise ProblemError(
            "DownloadFailed", f"{source}: {endpoint} answers HTTP {status} with a web page (text/html); {remedy}"
        )


def in_parentheses(text: str) -> str:
    """A server's own words in parentheses, as a message may carry them: short, and without control characters."""
    words = " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_MAX_WORDS]
    return f" ({words})" if words else ""
