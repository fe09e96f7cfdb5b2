"""A remote adapter: its files, and their bytes from any offset."""

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
"""Size limit of a listing of files. Ten thousand files take about 3 MB, and several times that in memory."""
METADATA_SECONDS: Final = 60.0
"""Time limit of a listing of files."""
CHUNK_BYTES: Final = 1 << 17
"""Bytes that a broken connection may lose."""
SOCKET_SECONDS: Final = 30.0
"""Time limit of a server's silence."""

_MAX_WORDS: Final = 300


@dataclass(frozen=True, slots=True)
class Checksum:
    """The server's checksum of a file; `kind` is `sha256`, `git` (sha1 of a git blob) or `md5`."""

    kind: str
    hexdigest: str

    def hasher(self, size: int) -> "hashlib._Hash":
        """Return a hash object for the file's bytes; `size` is the file's."""
        if self.kind == "git":
            return hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)
        return hashlib.new(self.kind, usedforsecurity=False)


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of an adapter; without a checksum only its size is checked."""

    name: str
    size: int
    version: str
    """Changes when the file's bytes change."""
    checksum: Checksum | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """The files of an adapter at one revision: a hub's commit, or a hash over the objects of a prefix."""

    revision: str
    files: tuple[RemoteFile, ...]

    @property
    def size(self) -> int:
        """The bytes of all files."""
        return sum(file.size for file in self.files)


class Remote(Protocol):
    """A source of one adapter. Blocks, so callers use a thread; every failure is raised as a ProblemError."""

    @property
    def source(self) -> str:
        """The source's key, for messages."""

    def resolve(self) -> Manifest:
        """Return the present revision and its files."""

    def open(self, manifest: Manifest, file: RemoteFile, offset: int) -> AbstractContextManager[Iterator[bytes]]:
        """Stream the bytes of a file from `offset` on."""


def manifest(source: str, revision: str, files: list[RemoteFile], others: list[str]) -> Manifest:
    """Return the adapter's files out of a listing; `others` are the names of all files, without folders.

    Raises ProblemError AdapterMissing, or UnsupportedFeature if there are only pickles.
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
    if wrong:  # a negative size would let other files be larger
        raise ProblemError("DownloadFailed", f"{source}: its server reports that {wrong.name} has {wrong.size} bytes")
    return Manifest(revision, tuple(chosen))


def adapter_file_names(source: str, names: Iterable[str]) -> list[str]:
    """Return the names of an adapter's files among these; raises ProblemError AdapterInvalid if there are too many."""
    chosen = [name for name in names if is_adapter_file(name)]
    if len(chosen) > MAX_FILES:
        raise ProblemError(
            "AdapterInvalid", f"{source}: holds {len(chosen)} adapter files, more than {MAX_FILES}; this is no adapter"
        )
    return chosen


def read_metadata(source: str, chunks: Iterable[bytes]) -> bytes:
    """Read a listing of files; raises ProblemError DownloadFailed past the limit in bytes or time."""
    body = bytearray()
    deadline = time.monotonic() + METADATA_SECONDS
    for chunk in chunks:
        body += chunk
        late = time.monotonic() > deadline
        if late or len(body) > MAX_METADATA_BYTES:
            bound = f"{METADATA_SECONDS:.0f} s" if late else f"{MAX_METADATA_BYTES} bytes"
            raise ProblemError(
                "DownloadFailed",
                f"{source}: its server's listing does not end within {bound}; "
                "name a repository or prefix of one adapter, and see that the endpoint in spec.adapter is right",
            )
    return bytes(body)


def refuse_page(source: str, endpoint: str, status: int, content_type: str, remedy: str) -> None:
    """Raise ProblemError DownloadFailed if a server answers with a web page, such as a console or a login."""
    broken = status >= HTTPStatus.INTERNAL_SERVER_ERROR  # proxies send such errors as HTML
    if not broken and content_type.partition(";")[0].strip().lower() == "text/html":
        raise ProblemError(
            "DownloadFailed", f"{source}: {endpoint} answers HTTP {status} with a web page (text/html); {remedy}"
        )


def in_parentheses(text: str) -> str:
    """Return a server's text in parentheses for a message: short, and without control characters."""
    words = " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_MAX_WORDS]
    return f" ({words})" if words else ""
