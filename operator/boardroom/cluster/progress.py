"""Progress messages on stderr. stdout holds data only."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def say(words: str) -> None:
    """Write one line to stderr at once."""
    sys.stderr.write(f"{words}\n")
    sys.stderr.flush()


@contextmanager
def still_working(line: Callable[[int], str], *, every_seconds: float = 15.0) -> Iterator[None]:
    """Print `line(elapsed seconds)` at intervals while the block runs."""
    done = threading.Event()
    started = time.monotonic()

    def report() -> None:
        while not done.wait(every_seconds):
            say(line(round(time.monotonic() - started)))

    reporter = threading.Thread(target=report, daemon=True)
    reporter.start()
    try:
        yield
    finally:
        done.set()
        reporter.join()
