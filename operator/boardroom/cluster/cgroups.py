"""The control group that holds all pods of one node, under cgroup v1, v2 or both at once."""

from __future__ import annotations

import contextlib
from pathlib import Path


def hierarchies(mounts: str) -> list[Path]:
    """Return where control group file systems are mounted, given the text of /proc/mounts."""
    entries = [line.split() for line in mounts.splitlines()]
    return [Path(entry[1]) for entry in entries if entry[2] in {"cgroup", "cgroup2"}]


def mounted() -> list[Path]:
    """Return where control group file systems are mounted here."""
    return hierarchies(Path("/proc/mounts").read_text())


def create(name: str) -> None:
    """Make the group `name` at the top of every hierarchy, with every controller enabled for its children."""
    for root in mounted():
        group = root / name
        group.mkdir(exist_ok=True)
        available = root / "cgroup.controllers"
        if available.exists():
            wanted = [f"+{controller}" for controller in available.read_text().split()]
            for place in (root, group):
                _enable(place / "cgroup.subtree_control", wanted)
        # A version 1 cpuset starts empty and accepts no process before these are set.
        for setting in ("cpuset.cpus", "cpuset.mems"):
            if (root / setting).exists() and not available.exists():
                (group / setting).write_text((root / setting).read_text())


def remove(name: str) -> None:
    """Remove the group `name` and all below it; its processes must have ended."""
    for root in mounted():
        top = root / name
        if top.is_dir():
            below = sorted((path for path in top.rglob("*") if path.is_dir()), key=lambda path: -len(path.parts))
            for group in [*below, top]:
                group.rmdir()


def named(prefix: str) -> set[str]:
    """Return the names of all groups at the top of any hierarchy that begin with `prefix`."""
    return {group.name for root in mounted() for group in root.glob(f"{prefix}*") if group.is_dir()}


def _enable(control: Path, controllers: list[str]) -> None:
    """Enable controllers one by one: one that fails (a real-time process under `cpu`) must not prevent the others."""
    for controller in controllers:
        with contextlib.suppress(OSError):
            control.write_text(controller)
