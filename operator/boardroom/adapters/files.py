"""The files of one adapter directory: regular, inside the root, and bounded in number."""

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from boardroom.adapters.problem import ProblemError

CONFIG: Final = "adapter_config.json"
MAX_ENTRIES: Final = 10_000
"""Directory entries that are read of one adapter: a mount at the wrong place must not stall a scan."""
_WEIGHTS: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}\.safetensors")


@dataclass(frozen=True, slots=True)
class File:
    """A regular file, with the fields that differ if it has changed."""

    path: Path
    name: str
    size: int
    mtime_ns: int
    ctime_ns: int
    """The last change of content, times or owner; unlike mtime it can't be set back."""
    inode: int
    device: int


def adapter_files(directory: Path, root: Path | None) -> Mapping[str, File]:
    """Return adapter_config.json, *.safetensors and *.bin in the directory, by name, sorted.

    With a root, a link that leaves it raises ProblemError; without one any link is followed, as in LoRAX
    (docs/lorax.md#unconfined-paths).
    """
    try:
        with os.scandir(directory) as entries:
            names = sorted(entry.name for entry, _ in zip(entries, range(MAX_ENTRIES), strict=False))
    except (FileNotFoundError, NotADirectoryError):
        raise ProblemError(
            "AdapterMissing", f"{directory}: no such directory; put the adapter's files there or correct the path"
        ) from None
    except OSError as error:
        raise unreadable(directory, error) from error
    read = [name for name in names if is_read_by_lorax(name)]
    for name in read:
        _check_name(directory, name)
    return {name: _file(directory / name, root) for name in read}


def unreadable(path: Path, error: OSError) -> ProblemError:
    """Return the problem that a file or directory can't be read."""
    return ProblemError("AdapterInvalid", f"{path}: {error.strerror}; make it readable for the pod's user")


def is_adapter_file(name: str) -> bool:
    """Whether a file of this name is part of an adapter that we transfer: the config, or weights as safetensors."""
    return name == CONFIG or _WEIGHTS.fullmatch(name) is not None


def is_read_by_lorax(name: str) -> bool:
    """Whether LoRAX reads a file of this name; a directory with one is an adapter, or should be."""
    return name == CONFIG or name.endswith((".safetensors", ".bin"))


def _check_name(directory: Path, name: str) -> None:
    """Raise ProblemError for the name of a file that LoRAX would read, but that belongs to no adapter."""
    if not is_text(name):
        raise ProblemError("AdapterInvalid", f"the file name {name!a} is not UTF-8; rename the file, or remove it")
    if name.startswith("._") and name.endswith(".safetensors"):
        raise ProblemError(
            "AdapterInvalid",
            f"{directory / name}: macOS leaves such a file beside a copied one, and LoRAX would read it as weights; "
            "remove it",
        )


def is_text(name: str) -> bool:
    """Whether a name is UTF-8; other bytes arrive as lone surrogates, which JSON can't encode."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _file(path: Path, root: Path | None) -> File:
    try:
        if root is not None and not path.resolve().is_relative_to(root):
            raise ProblemError(
                "AdapterInvalid", f"{path}: links to a place outside {root}; copy the file into the adapter instead"
            )
        status = path.stat()
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links
        raise ProblemError("AdapterInvalid", f"{path}: {error}; repair or remove it") from error
    if not stat.S_ISREG(status.st_mode):
        raise ProblemError("AdapterInvalid", f"{path}: not a regular file; replace it by one")
    return File(
        path=path,
        name=path.name,
        size=status.st_size,
        mtime_ns=status.st_mtime_ns,
        ctime_ns=status.st_ctime_ns,
        inode=status.st_ino,
        device=status.st_dev,
    )
