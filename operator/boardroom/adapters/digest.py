"""The digest of an adapter: sha256 over names and contents of its files; a file is hashed again only if it changed."""

import hashlib
import time
from collections.abc import Iterable
from typing import Final

from boardroom.adapters.files import File

_RACY_NS: Final = 2_000_000_000
"""A file that changed within this time may change again without new timestamps, so its hash isn't kept."""


def is_racy(file: File) -> bool:
    """Whether the file was changed so recently that another change might not show in its times (as in git's index)."""
    return time.time_ns() - (file.ctime_ns or file.mtime_ns) <= _RACY_NS


class Digests:
    """Hashes files, and caches the hash of each by name, size, times and inode."""

    def __init__(self, capacity: int = 65_536) -> None:
        self._capacity = capacity
        self._known: dict[File, str] = {}

    def of(self, files: Iterable[File]) -> str:
        """Return `sha256:<hex>` over the files in the order of their names; raises OSError."""
        total = hashlib.sha256()
        for file in sorted(files, key=lambda file: file.name):
            total.update(f"{file.name}\0{self._file(file)}\n".encode("utf-8", "surrogateescape"))
        return f"sha256:{total.hexdigest()}"

    def _file(self, file: File) -> str:
        known = self._known.get(file)
        if known is not None:
            return known
        with file.path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        if not is_racy(file):
            while len(self._known) >= self._capacity:
                del self._known[next(iter(self._known))]
            self._known[file] = digest
        return digest
