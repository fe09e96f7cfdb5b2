"""Finds every adapter below a mount."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from boardroom.adapters.adapter import Adapter, describe
from boardroom.adapters.digest import Digests, is_racy
from boardroom.adapters.files import MAX_ENTRIES, File, adapter_files, is_read_by_lorax, is_text
from boardroom.adapters.problem import ProblemError
from boardroom.api.adapter import MAX_ADAPTER_DEPTH

MAX_DIRECTORIES: Final = 4096


@dataclass(frozen=True, slots=True)
class NamedAdapter:
    """An adapter and its name, which is its path relative to the mount."""

    name: str
    adapter: Adapter


class Scanner:
    """Lists the adapters below a root. Later scans read only adapters that have changed or have a problem."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._digests = Digests()
        self._cache: dict[Path, _CacheEntry] = {}

    def scan(self) -> list[NamedAdapter]:
        """Return every adapter directory, sorted by name.

        A directory is one if it has an adapter's file, or no subdirectory: an empty one is a member whose files are
        missing. Names that begin with a dot are skipped, such as `..data` of a projected volume. Raises
        FileNotFoundError if the root is missing.
        """
        if not self.root.is_dir():
            raise FileNotFoundError(f"{self.root}: no such directory; is the adapters volume mounted there?")
        resolved = self.root.resolve()
        self._cache = {path: self._read(path, resolved) for path in _directories(self.root, resolved)}
        adapters = [
            NamedAdapter(str(path.relative_to(self.root)), entry.adapter) for path, entry in self._cache.items()
        ]
        return sorted(adapters, key=lambda named: named.name)

    def _read(self, path: Path, root: Path) -> "_CacheEntry":
        try:
            files = adapter_files(path, root)
        except ProblemError as error:
            return _CacheEntry(Adapter(path, problem=error.problem))
        before = self._cache.get(path)
        if before is not None and before.files == files:
            return before
        racy = any(is_racy(file) for file in files.values())
        adapter = describe(path, files, self._digests)
        return _CacheEntry(adapter, files if adapter.problem is None and not racy else None)


@dataclass(frozen=True, slots=True)
class _CacheEntry:
    """An adapter and the files that it was read from; None if it must be read again."""

    adapter: Adapter
    files: Mapping[str, File] | None = None


def _directories(root: Path, resolved: Path) -> Iterator[Path]:
    waiting = [(root, 0)]
    visited = 0
    while waiting and visited < MAX_DIRECTORIES:
        directory, depth = waiting.pop(0)
        visited += 1
        names, children = _listing(directory, resolved)
        if directory != root and (any(map(is_read_by_lorax, names)) or not children):
            yield directory
        elif depth < MAX_ADAPTER_DEPTH:
            waiting += [(child, depth + 1) for child in children]


def _listing(directory: Path, root: Path) -> tuple[list[str], list[Path]]:
    """Return file names, and directories inside the root; an unreadable directory is empty, and read() reports it."""
    names: list[str] = []
    children: list[Path] = []
    try:
        with os.scandir(directory) as entries:
            for entry, _ in zip(entries, range(MAX_ENTRIES), strict=False):
                # A name that isn't UTF-8 is no adapter's, because spec.adapter.path can't have it.
                if entry.name.startswith(".") or entry.name == "lost+found" or not is_text(entry.name):
                    continue
                if not _is_directory(entry):
                    names.append(entry.name)
                elif not entry.is_symlink() or Path(entry.path).resolve().is_relative_to(root):
                    children.append(Path(entry.path))
    except (OSError, RuntimeError):
        return names, children
    return names, sorted(children)


def _is_directory(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a directory. A broken, circular or unreadable link is not, and hides no other entry."""
    try:
        return entry.is_dir()
    except OSError:
        return False
