"""When a request to an engine is sent again: after a 429, or to another server."""

import asyncio
import math
import random
from collections.abc import Iterator
from typing import Final

from boardroom.coordinator.metrics import Metrics
from boardroom.engine.errors import (
    AdapterFailed,
    BadResponse,
    ConnectionLost,
    GenerationFailed,
    Overloaded,
    Superseded,
    Unhealthy,
    Unreachable,
)

OVERLOAD_WAITS: Final = (0.1, 0.2, 0.4, 0.8)
"""Seconds before each repetition after a 429, times a jitter of 0.5 to 1.5."""

RETRY_ELSEWHERE: Final = (
    Unreachable, Unhealthy, ConnectionLost, Superseded, GenerationFailed, BadResponse, Overloaded, AdapterFailed,
)  # fmt: skip
"""Errors that another LoRAX server may avoid. The question itself, or its deadline, causes the other errors."""


async def retry_on_overload(waits: Iterator[float], deadline: float, metrics: Metrics) -> bool:
    """After a 429: wait for the next of these seconds, and say whether to send again. False at once if there are none,
    or no time is left for them.
    """
    loop = asyncio.get_running_loop()
    pause = next(waits, math.inf) * random.uniform(0.5, 1.5)  # noqa: S311 (jitter, not a secret)
    if loop.time() + pause >= deadline:
        return False
    metrics.retries.labels("overloaded").inc()
    await asyncio.sleep(pause)
    return True
