"""Pages for Prometheus: the coordinator's metrics, and those of LoRAX, which only the coordinator can reach."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest

from boardroom.coordinator.backends.pool import NO_POD, BackendPool
from boardroom.engine.errors import EngineError

PAGE_SECONDS: Final = 1.0
"""The seconds for which a page is reused. A new page takes milliseconds of the loop that answers questions."""
LORAX_SECONDS: Final = 5.0
"""Limit for LoRAX's page, below the 10 s after which Prometheus gives up by default."""
_TYPE: Final = "# TYPE "


class Page:
    """A page that is made once for all who ask for it at the same time."""

    def __init__(self, make: Callable[[], Awaitable[bytes]], clock: Callable[[], float] = time.monotonic) -> None:
        self._make = make
        self._clock = clock
        self._made = float("-inf")
        self._body = b""
        self._lock = asyncio.Lock()

    async def read(self) -> bytes:
        """Return the page, at most PAGE_SECONDS old. Raises what `make` raises."""
        async with self._lock:
            if self._clock() - self._made >= PAGE_SECONDS:
                self._body = await self._make()
                self._made = self._clock()
            return self._body


def own_page(registry: CollectorRegistry) -> Page:
    """The page of the coordinator's metrics."""
    return Page(lambda: asyncio.to_thread(generate_latest, registry))


def lorax_page(pool: BackendPool | None, shows: Callable[[], bool]) -> Page:
    """The page of all LoRAX servers that answer, each series with the server's name as label `replica`.

    `shows`: whether this coordinator shows the metrics. If several did, Prometheus would count each server more than
    once. Reading the page raises EngineError if no server answers.
    """

    async def make() -> bytes:
        if pool is None:
            return b"# This board runs without LoRAX.\n"
        if not shows():
            return b"# The coordinator that leads shows LoRAX's metrics.\n"
        routes = [backend.route for backend in pool.backends.values()]
        results = await asyncio.gather(*(r.engine.metrics_page(LORAX_SECONDS) for r in routes), return_exceptions=True)
        pages: dict[str, bytes] = {}
        failure: BaseException = EngineError(NO_POD)
        for route, page in zip(routes, results, strict=True):
            if isinstance(page, bytes):
                pages[route.name] = page
            else:
                failure = page
        if not pages:
            raise failure
        return await asyncio.to_thread(merged, pages)

    return Page(make)


def merged(pages: Mapping[str, bytes]) -> bytes:
    """Merge the pages of several servers. Samples of one family stand together, each with its server as label."""
    families: dict[str, list[str]] = {}
    for replica, page in pages.items():
        family = families.setdefault("", [])
        for line in page.decode("utf-8", "replace").splitlines():
            if line.startswith(_TYPE):
                family = families.setdefault(line, [])
            elif line and not line.startswith("#"):
                family.append(_labelled(line, replica))
    return "".join(f"{line}\n" for head, lines in families.items() for line in (head, *lines) if line).encode()


def _labelled(sample: str, replica: str) -> str:
    name, brace, rest = sample.partition("{")
    label = f'replica="{replica}"'
    if brace and " " not in name:
        return f"{name}{{{label},{rest}"
    name, _, value = sample.partition(" ")
    return f"{name}{{{label}}} {value}"
