"""The folders of this package: the cache for files that can be built again, the state for running nodes."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def cache() -> Path:
    """Return the folder of built programs and image layers: `$BOARDROOM_CACHE`, else under `$XDG_CACHE_HOME`."""
    chosen = os.environ.get("BOARDROOM_CACHE")
    if chosen:
        return Path(chosen).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "boardroom"


def state() -> Path:
    """Return the folder that holds a running node's data, keys and logs, under `$XDG_STATE_HOME`."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state").absolute() / "boardroom"


@contextmanager
def replacing(file: Path) -> Iterator[Path]:
    """Yield a free path beside `file`. The block's file replaces `file` atomically."""
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    try:
        yield fresh
        fresh.replace(file)
    finally:
        fresh.unlink(missing_ok=True)
