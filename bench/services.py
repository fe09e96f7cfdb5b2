"""The processes of a measurement: on a core of their own, with their CPU time and memory to be read."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench import ROOT

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_PROGRAMS: Final = ROOT / "build" / "bench"


class Service:
    """A running process and its children."""

    def __init__(self, pid: int, url: str) -> None:
        self.pid = pid
        self.url = url

    def cpu_seconds(self) -> float:
        """User and system time so far, of the whole family."""
        return sum(_stat(pid)[0] for pid in self._family())

    def rss_mib(self) -> float:
        """Resident memory now, of the whole family."""
        return sum(_stat(pid)[1] for pid in self._family())

    def _family(self) -> list[int]:
        found, grown = [self.pid], True
        parents = {
            int(entry.name): _parent(entry) for entry in Path("/proc").iterdir() if entry.name.isdigit()
        }  # fmt: skip
        while grown:
            more = [pid for pid, parent in parents.items() if parent in found and pid not in found]
            found += more
            grown = bool(more)
        return found


def go_programs() -> Path:
    """The folder of the Go programs of bench/go, built where Go's own cache says that they changed."""
    go = shutil.which("go")
    if go is None:
        raise SystemExit("the yardstick is a Go program: install Go 1.26 or newer")
    _PROGRAMS.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [go, "build", "-trimpath", "-o", f"{_PROGRAMS}/", "./..."],
        cwd=ROOT / "bench" / "go", env=os.environ | {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local"}, check=True,
    )  # fmt: skip
    return _PROGRAMS


@contextmanager
def running(
    command: Sequence[str],
    *,
    core: int,
    port: int,
    log: Path,
    ready: str = "",
    seconds: float = 120.0,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Service]:
    """The process, pinned to a core, once it listens on `port` and `ready` (a path) answers with 200; ended after."""
    with log.open("ab") as out:
        process = subprocess.Popen(
            ["taskset", "--cpu-list", str(core), *command],
            stdout=out,
            stderr=out,
            cwd=log.parent,
            env=os.environ | (environment or {}),
        )
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(process, url + ready if ready else "", port=port, seconds=seconds, log=log)
            yield Service(process.pid, url)
        finally:
            process.terminate()
            try:
                process.wait(timeout=40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def program(name: str) -> str:
    """A program of the environment that runs this."""
    return str(Path(sys.executable).parent / name)


def cores() -> tuple[int, int]:
    """The core of what is measured, and that of everything around it; the same one where there is only one."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[-1]


def _wait(process: subprocess.Popen[bytes], ready_url: str, *, port: int, seconds: float, log: Path) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended: {log.read_text(errors='replace')[-2000:]}")
        try:
            if ready_url:
                urllib.request.urlopen(ready_url, timeout=2).close()
            else:
                socket.create_connection(("127.0.0.1", port), timeout=2).close()
        except (OSError, urllib.error.HTTPError):
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"{process.args!r} does not answer within {seconds:.0f} s")


def _stat(pid: int) -> tuple[float, float]:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0, 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS, int(fields[21]) * _PAGE / 2**20


def _parent(entry: Path) -> int:
    try:
        return int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0
