"""Local processes of `boardroom serve`: started, waited for, and ended with it."""

import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Never, Self

import click
import httpx

STOP_TIMEOUT = 10.0
"""Seconds between SIGTERM and SIGKILL."""
_POLL = 0.05
_LOOK = 1.0
_TAIL = 2000


def free_port(address: str = "127.0.0.1") -> int:
    """A port on which nobody listens now at this address; at another one somebody may."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
    return port


class Process:
    """A program of our own environment, ended with the block; its words are kept for when it fails."""

    def __init__(self, program: str, *args: str) -> None:
        self.name = f"{program} {args[0]}" if args and not args[0].startswith("-") else program
        self._command = [str(Path(sys.executable).parent / program), *args]
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 (closed in __exit__)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        # A group of its own: Ctrl-C reaches us alone, and we end the children in order.
        self._process = subprocess.Popen(
            self._command, stdout=self._log, stderr=subprocess.STDOUT, process_group=0, stdin=subprocess.DEVNULL
        )
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
        self._log.close()

    def check(self) -> None:
        """Raise with the end of its words if it has ended."""
        if self._process and self._process.poll() is not None:
            self._log.seek(0)
            words = self._log.read()[-_TAIL:].decode(errors="replace").strip()
            raise click.ClickException(f"{self.name} ended with {self._process.returncode}:\n{words}")


class Processes(ExitStack):
    """Processes, and what else is to be put away, ended in reverse order."""

    def __init__(self) -> None:
        super().__init__()
        self._running: list[Process] = []

    def start(self, program: str, *args: str) -> Process:
        """Run one more until the block ends."""
        process = self.enter_context(Process(program, *args))
        self._running.append(process)
        return process

    def watch(self) -> Never:
        """Wait for ever; raises with the last words of the first that ends."""
        while True:
            for process in self._running:
                process.check()
            time.sleep(_LOOK)


def wait_ready(process: Process, url: str, path: str, timeout: float) -> str:
    """The URL once `path` answers 200; raises when the process ends or the time is up (seconds)."""
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
