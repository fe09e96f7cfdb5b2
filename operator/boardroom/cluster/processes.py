"""Finds the processes of a node from outside, even if their parent has ended."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MARK = "BOARDROOM_NODE"
"""The environment variable that a node's first processes carry; its value is the node's folder."""
_POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Process:
    """A process as seen from the host."""

    pid: int
    parent: int
    state: str
    """The state's letter, as in /proc/PID/stat; Z is a zombie."""
    name: str
    """The name of the program's file."""
    inner_pid: int
    """The process's id in its own PID namespace."""


def running(*, proc: Path = Path("/proc")) -> Iterator[Process]:
    """Yield every process that exists now and is not a zombie."""
    for folder in proc.iterdir():
        if folder.name.isdigit():
            # The process may end while we read.
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                found = parse(int(folder.name), (folder / "status").read_text(), (folder / "cmdline").read_bytes())
                if found.state != "Z":
                    yield found


def parse(pid: int, status: str, cmdline: bytes) -> Process:
    """Return the process of /proc/PID/status and /proc/PID/cmdline."""
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    program = cmdline.split(b"\0", 1)[0].decode(errors="replace")
    return Process(
        pid=pid,
        parent=int(fields["PPid"]),
        state=fields["State"][0],
        name=Path(program).name or fields["Name"],
        inner_pid=int(fields.get("NSpid", str(pid)).split()[-1]),
    )


def marked(folder: Path) -> list[Process]:
    """Return the processes that carry the mark of the node in `folder`."""
    mark = f"{MARK}={folder}".encode()
    return [process for process in running() if mark in _environment(process.pid)]


def children(pid: int) -> list[Process]:
    """Return the processes whose parent is `pid`."""
    return [process for process in running() if process.parent == pid]


def kill(processes: Iterable[Process], *, seconds: float = 20.0) -> None:
    """Kill the processes and wait until none is left, except as a zombie. Raises TimeoutError."""
    pids = {process.pid for process in processes}
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + seconds
    while left := pids & {process.pid for process in running()}:
        if time.monotonic() > deadline:
            raise TimeoutError(f"processes {sorted(left)} are still there {seconds:.0f} s after SIGKILL")
        time.sleep(_POLL_SECONDS)


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []
