"""A real Redis server on a socket of this machine, for conversations.

Debian's, or the one that REDIS_SERVER names (Valkey, say).
"""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.asyncio import Redis

from boardroom.cli.processes import free_port
from boardroom.cluster import debian
from boardroom.coordinator.conversations.redis_store import RedisStore, connect

LEASE_SECONDS = 0.6
NOWHERE = "redis://127.0.0.1:1/0"


class RedisServer:
    """Without persistence: what it holds ends when it is stopped."""

    def __init__(self, directory: Path, *options: str) -> None:
        self.port = free_port()
        self._options = options
        self._program = directory / "redis-server"
        self._program.symlink_to(_program())  # the binary is the server under this name
        self._log = directory / "redis.log"
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        command = [str(self._program), "--bind", "127.0.0.1", "--port", str(self.port), "--save", "", *self._options]
        with self._log.open("ab") as log:
            self._child = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + 20
        while b"Ready to accept connections" not in self._log.read_bytes():
            assert self._child.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.02)

    def stop(self) -> None:
        self._child.terminate()
        self._child.wait(timeout=20)
        self._log.write_text("")

    def client(self, **options: Any) -> "redis.Redis":
        return redis.Redis(port=self.port, decode_responses=True, **options)


def _program() -> Path:
    if given := os.environ.get("REDIS_SERVER"):
        return Path(given)
    try:
        debian.ensure([debian.REDIS])
    except debian.MissingProgramsError as error:
        pytest.skip(str(error))
    return Path(debian.require(debian.REDIS))


@contextmanager
def redis_server(directory: Path, *options: str) -> Iterator[RedisServer]:
    """Skips where Debian's package is not there and can't be installed."""
    server = RedisServer(directory, *options)
    try:
        yield server
    finally:
        server.stop()


def store(url: str, scope: str = "default/executive/1") -> tuple[RedisStore, Redis]:
    """A store whose claims end soon, and its client."""
    client = connect(url)
    return RedisStore(client, lambda: scope, lease_seconds=LEASE_SECONDS), client
