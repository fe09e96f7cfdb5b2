"""The local processes and folders of `boardroom serve`, which end with it."""

import errno
import fcntl
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Never, Self

import click
import httpx
import orjson

from boardroom.cluster.daemon import leash

STOP_TIMEOUT = 10.0
"""Seconds between SIGTERM and SIGKILL."""
_POLL = 0.05
_LOOK = 1.0
_KEPT_LINES: Final = 40
_BOARD_LOGGER: Final = "boardroom.coordinator.board.sources"
_LINE_BYTES: Final = 4096
_PREFIX: Final = "boardroom-"
_MARK: Final = ".boardroom-serve"
"""A file in each of our folders, locked while the folder is in use."""
_YOUNG_SECONDS: Final = 60.0
"""Age in seconds up to which a folder's mark may be unlocked."""


def free_port(address: str = "127.0.0.1") -> int:
    """A port that is free on this address now."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
    return port


def require_free(host: str, port: int) -> None:
    """Raises UsageError if no server can listen there now."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        remedy = (
            "stop the program that listens there, or give another --port (0: a free one)"
            if taken
            else "give another --host"
        )
        raise click.UsageError(f"--host {host} --port {port}: {error.strerror}; {remedy}") from error


@contextmanager
def scratch() -> Iterator[Path]:
    """A temporary folder for the block. Folders that a killed `serve` left behind are removed too."""
    _clear(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as name, Path(name, _MARK).open("wb") as mark:
        fcntl.flock(mark, fcntl.LOCK_EX)
        yield Path(name)


def _clear(folder: Path) -> None:
    for mark in folder.glob(f"{_PREFIX}*/{_MARK}"):
        with suppress(OSError), mark.open("rb") as held:  # another user's, or in use
            own = os.fstat(held.fileno()).st_uid == os.getuid() and not mark.parent.is_symlink()
            if own and time.time() - mark.stat().st_mtime > _YOUNG_SECONDS:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(mark.parent, ignore_errors=True)


class Process:
    """A program of our own environment, which ends with the block. Its last output lines are kept for errors."""

    def __init__(self, program: str, *args: str) -> None:
        self.name = f"{program} {args[0]}" if args and not args[0].startswith("-") else program
        self._command = [*leash("TERM"), str(Path(sys.executable).parent / program), *args]
        self._lines: deque[bytes] = deque(maxlen=_KEPT_LINES)
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None

    def __enter__(self) -> Self:
        # Its own process group: Ctrl-C reaches only us, and we end the children in order.
        self._process = subprocess.Popen(
            self._command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            process_group=0,
            stdin=subprocess.DEVNULL,
        )
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True)
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process:
            self._process.terminate()
            try:
                self._process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._reader:
            self._reader.join(STOP_TIMEOUT)

    def check(self) -> None:
        """Raises ClickException with its last output if it has ended."""
        if self._process and self._process.poll() is not None:
            if self._reader:
                self._reader.join(STOP_TIMEOUT)
            output = b"".join(self._lines).decode(errors="replace").strip()
            raise click.ClickException(f"{self.name} ended with {self._process.returncode}:\n{output}")

    def _read(self, stream: IO[bytes]) -> None:
        with stream:
            while line := stream.readline(_LINE_BYTES):
                self._lines.append(line)
                if (warning := board_warning(line)) is not None:
                    click.echo(f"warning: {warning}", err=True)


def board_warning(line: bytes) -> str | None:
    """A coordinator's warning about the board's file, from its log line. None: another line."""
    try:
        entry = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(entry, dict) or (entry.get("logger"), entry.get("level")) != (_BOARD_LOGGER, "warning"):
        return None
    return f"{entry['message']}: {entry.get('error', '')}"


class Processes(ExitStack):
    """Processes and other contexts, ended in reverse order."""

    def __init__(self) -> None:
        super().__init__()
        self._running: list[Process] = []

    def start(self, program: str, *args: str) -> Process:
        """Start a process that ends with the block."""
        process = self.enter_context(Process(program, *args))
        self._running.append(process)
        return process

    def watch(self) -> Never:
        """Wait until a process ends, then raise ClickException with its last output."""
        while True:
            for process in self._running:
                process.check()
            time.sleep(_LOOK)


def wait_ready(process: Process, url: str, path: str, timeout: float) -> str:
    """The URL, once `path` answers 200. Raises ClickException if the process ends, or after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    with httpx.Client(base_url=url, timeout=timeout, trust_env=False) as client:
        while True:
            process.check()
            try:
                if client.get(path).is_success:
                    return url
            except httpx.TransportError:
                pass
            if time.monotonic() > deadline:
                raise click.ClickException(f"{process.name} did not answer at {url}{path} within {timeout:.0f} s")
            time.sleep(_POLL)
