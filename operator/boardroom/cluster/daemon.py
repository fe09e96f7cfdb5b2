"""A background program with a log file."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_POLL_SECONDS = 0.05


class DaemonError(RuntimeError):
    """A daemon ended, or did not answer in time; the message holds the end of its log."""


class Daemon:
    """A child process that is killed when the thread that started it ends, even if that thread is killed."""

    def __init__(self, name: str, command: Sequence[str | Path], log: Path, environment: Mapping[str, str]) -> None:
        """Start `command` with exactly `environment`; stdout and stderr go to `log`."""
        self.name = name
        self.log = log
        with log.open("ab") as sink:
            self.process = subprocess.Popen(
                [*leash("KILL"), *map(str, command)],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                env=dict(environment),
                start_new_session=True,
            )

    def wait_until(self, ready: Callable[[], bool], *, seconds: float) -> None:
        """Poll `ready` until it holds; raise DaemonError if the daemon ends before, or after `seconds`."""
        deadline = time.monotonic() + seconds
        while not ready():
            if self.process.poll() is not None:
                raise DaemonError(f"{self.name} ended with code {self.process.returncode}; {self._log_tail()}")
            if time.monotonic() > deadline:
                raise DaemonError(f"{self.name} was not ready within {seconds:.0f} s; {self._log_tail()}")
            time.sleep(_POLL_SECONDS)

    def kill(self) -> None:
        """Kill the process: its data are temporary or survive a crash by design."""
        self.process.kill()
        self.process.wait()

    def _log_tail(self) -> str:
        return f"the end of {self.log}:\n{tail(self.log)}"


def leash(signal: str) -> list[str]:
    """The prefix of a command that must get `signal` when its starter dies, even if that is killed. Linux only."""
    setpriv = shutil.which("setpriv")  # util-linux's, for PR_SET_PDEATHSIG
    return [setpriv, "--pdeathsig", signal] if setpriv else []


def tail(log: Path, lines: int = 15) -> str:
    """Return the last lines of a log; empty if the log does not exist."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""
