"""A simulated LoRAX as a process of its own."""

import os
import subprocess
import sys
from typing import Self


class Process:
    """A launcher as a process of its own, on a port that the system picks."""

    def __init__(self, *arguments: str, env: dict[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from boardroom.simulator.launcher.main import main; main()", "--port", "0",
             "--hostname", "127.0.0.1", *arguments],
            stdout=subprocess.PIPE,
            text=True,
            env={"PATH": os.environ["PATH"], **(env or {})},
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def url(self) -> str:
        """Where it listens, once it does."""
        return self.lines_until("listening on")[-1].split("listening on ")[1].strip()

    def lines_until(self, word: str) -> list[str]:
        assert self.process.stdout is not None
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if word in line:
                return lines
        raise AssertionError(f"{word} never came: {lines}")
