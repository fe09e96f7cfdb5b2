"""Runs real clients in environments of their own: each call goes there as JSON, and its outcome comes back."""

import json
import subprocess
from pathlib import Path
from typing import Any, Self

import pytest

ROOT = Path(__file__).parents[3]
HERE = Path(__file__).parent


class Session:
    """The interpreter of one client's environment, running its session script: a call a line, an outcome a line."""

    def __init__(self, name: str) -> None:
        """Skips where the client isn't installed."""
        python = ROOT / f".venv-{name}-client" / "bin" / "python"
        if not python.exists():
            pytest.skip(f"no .venv-{name}-client here; `make setup` makes it")
        command = [str(python), "-W", "ignore", str(HERE / f"{name}_client_session.py")]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=60)

    def call(self, url: str, how: str, **keywords: Any) -> Any:
        """What a call returned, or the class and text of what it raised."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"url": url, "how": how, "keywords": keywords}) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())
