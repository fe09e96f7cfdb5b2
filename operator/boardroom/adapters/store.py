"""The store of fetched adapters, each in a directory named by its digest: LoRAX knows an adapter by its path only
(docs/lorax.md#path-cache).
"""

import errno
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import BinaryIO, Final

import msgspec

from boardroom.adapters.adapter import Adapter, read
from boardroom.adapters.digest import Digests
from boardroom.adapters.problem import ProblemError

_INCOMING: Final = ".incoming"
_SOURCES: Final = ".sources"
_LOCKS: Final = ".locks"
_PREFIX: Final = "sha256-"
_LOCK_POLL_SECONDS: Final = 0.2


class StoppedError(Exception):
    """The download is no longer desired."""


class Origin(msgspec.Struct, frozen=True):
    """The origin of a stored adapter."""

    source: str
    revision: str
    digest: str


@dataclass(frozen=True)
class Store:
    """A directory that holds at most `limit` bytes. Every method blocks."""

    root: Path
    limit: int

    def path(self, digest: str) -> Path:
        """Return the directory of the adapter with this digest (`sha256:<hex>`)."""
        return self.root / digest.replace(":", "-")

    def staging(self, source: str, revision: str) -> Path:
        """Return the directory for the files of a download, created if needed; other revisions' are removed."""
        folder = self.root / _INCOMING / _name(source)
        place = folder / _name(revision)
        for other in _entries(folder):
            if other != place:
                shutil.rmtree(other, ignore_errors=True)
        place.mkdir(parents=True, exist_ok=True)
        return place

    @contextmanager
    def locked(self, source: str, stop: Event) -> Iterator[None]:
        """Hold the lock of a source during its download; raises StoppedError, OSError.

        The sidecars of several LoRAX servers may share a claim, and a cancelled download ends a little later.
        """
        place = self.root / _LOCKS / _name(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("wb") as lock:
            while not _locked(lock):
                if stop.wait(_LOCK_POLL_SECONDS):
                    raise StoppedError
            yield

    def check_space(self, source: str, size: int) -> None:
        """Raise ProblemError TooLarge if a source of this size (bytes) does not fit beside the others."""
        own = self.root / _INCOMING / _name(source)
        others = _bytes_below(self.root) - _bytes_below(own)
        if others + size > self.limit:
            raise ProblemError(
                "TooLarge",
                f"{source}: {size} bytes, and {max(0, self.limit - others)} of the {self.limit} for fetched adapters "
                "are free; raise the Boardroom's spec.adapters.downloads.sizeLimit",
            )

    def commit(self, staging: Path, origin: Origin) -> Path:
        """Rename a complete directory to its digest, atomically; a complete adapter of that digest stays."""
        place = self.path(origin.digest)
        if place.exists() and read(place).digest != origin.digest:
            self.remove(place)
        if place.exists():
            shutil.rmtree(staging)
        else:
            staging.rename(place)
        note = self.root / _SOURCES / f"{_name(origin.source)}.json"
        note.parent.mkdir(exist_ok=True)
        partial = note.with_suffix(f".{os.getpid()}")
        partial.write_bytes(msgspec.json.encode(origin))
        partial.replace(note)
        return place

    def origin(self, source: str, digests: Digests) -> Origin | None:
        """Return the stored adapter of a source if it is complete: a crash of the machine may have lost a part."""
        try:
            origin = msgspec.json.decode((self.root / _SOURCES / f"{_name(source)}.json").read_bytes(), type=Origin)
        except (OSError, msgspec.MsgspecError):
            return None
        if origin.source != source or read(self.path(origin.digest), digests=digests).digest != origin.digest:
            return None
        return origin

    def adapters(self, digests: Digests) -> list[Adapter]:
        """Return the stored adapters, read again; one whose files no longer have its digest is left out."""
        stored = [read(path, digests=digests) for path in _entries(self.root) if path.name.startswith(_PREFIX)]
        return [adapter for adapter in stored if adapter.digest and self.path(adapter.digest) == adapter.path]

    def remove(self, path: Path) -> None:
        """Remove a stored adapter; it is renamed first, so that no scan finds a part of it."""
        doomed = self.root / _INCOMING / f"{path.name}.removed"
        doomed.parent.mkdir(exist_ok=True)
        try:
            path.rename(doomed)
        except OSError:
            return
        shutil.rmtree(doomed, ignore_errors=True)

    def prune(self, sources: set[str]) -> None:
        """Remove partial downloads and notes of all but these sources."""
        names = {_name(source) for source in sources}
        for folder in _entries(self.root / _INCOMING):
            if folder.name not in names:
                shutil.rmtree(folder, ignore_errors=True)
        for note in _entries(self.root / _SOURCES):
            if note.stem not in names:
                note.unlink(missing_ok=True)


def _locked(lock: BinaryIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        # The file system has no locks, so the claim can't be shared anyway.
        return error.errno in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)
    return True


def _name(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _bytes_below(folder: Path) -> int:
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += Path(place, name).lstat().st_size
            except OSError:  # removed meanwhile
                continue
    return total
