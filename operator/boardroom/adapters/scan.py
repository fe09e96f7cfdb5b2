"""Every adapter below a mount."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from boardroom.adapters.adapter import Adapter, read
from boardroom.adapters.digest import Digests
from boardroom.adapters.files import MAX_ENTRIES, is_read, is_text

MAX_DEPTH: Final = 8
MAX_DIRECTORIES: Final = 4096


@dataclass(frozen=True, slots=True)
class Found:
    """An adapter and its path relative to the mount, which is its name."""

    name: str
    adapter: Adapter


class Scanner:
    """Lists the adapters below a root; a second scan hashes only what changed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._digests = Digests()

    def scan(self) -> list[Found]:
        """Every adapter directory, sorted by name.

        A directory counts when it holds an adapter's file, or holds nothing to descend into: an empty folder is a
        member whose files are missing. Names that begin with a dot are skipped, so a projected volume's `..data` is.
        Raises FileNotFoundError when the root itself isn't there.
        """
        if not self.root.is_dir():
            raise FileNotFoundError(f"{self.root}: no such directory; is the adapters volume mounted there?")
        resolved = self.root.resolve()
        found = [
            Found(str(path.relative_to(self.root)), read(path, root=resolved, digests=self._digests))
            for path in _directories(self.root, resolved)
        ]
        return sorted(found, key=lambda item: item.name)


def _directories(root: Path, resolved: Path) -> Iterator[Path]:
    waiting = [(root, 0)]
    looked_at = 0
    while waiting and looked_at < MAX_DIRECTORIES:
        directory, depth = waiting.pop(0)
        looked_at += 1
        names, children = _listing(directory, resolved)
        if directory != root and (any(map(is_read, names)) or not children):
            yield directory
        elif depth < MAX_DEPTH:
            waiting += [(child, depth + 1) for child in children]


def _listing(directory: Path, root: Path) -> tuple[list[str], list[Path]]:
    """File names, and directories inside the root; an unreadable directory is empty, and read() says why."""
    names: list[str] = []
    children: list[Path] = []
    try:
        with os.scandir(directory) as entries:
            for entry, _ in zip(entries, range(MAX_ENTRIES), strict=False):
                # A name that isn't UTF-8 can be no adapter's: the API takes no such path.
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
    """False too for a link that leads nowhere, in a circle, or to where we may not look: it hides no neighbour."""
    try:
        return entry.is_dir()
    except OSError:
        return False
