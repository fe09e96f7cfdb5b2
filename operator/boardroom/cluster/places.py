"""Where this room keeps its files: what can be made again in the cache, what describes a running node in the state."""

from __future__ import annotations

import os
from pathlib import Path


def cache() -> Path:
    """Return the folder of built programs and image layers: `$BOARDROOM_CACHE`, else under `$XDG_CACHE_HOME`."""
    chosen = os.environ.get("BOARDROOM_CACHE")
    if chosen:
        return Path(chosen).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "boardroom"


def state() -> Path:
    """Return the folder that holds a running node's data, keys and logs, under `$XDG_STATE_HOME`."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state").absolute() / "boardroom"
