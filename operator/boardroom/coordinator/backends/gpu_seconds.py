"""Measures a LoRAX server's busy time for questions, and estimates the GPU time of a GPU for each agent.

Measured: the seconds in which at least one question's request was in LoRAX. Its GPU can do nothing for others then, so
these are the GPU-seconds that the board used (times the GPUs that the model is sharded over).

Estimated: what each answer would have cost on a GPU that its agent has for itself. A member in a batch is slower than
one alone, so its time in the batch would flatter us. Whenever a request happened to be alone in LoRAX from beginning to
end, its seconds per token are learnt, and an answer counts as its tokens times those. Until one has been alone, its own
time in LoRAX counts, which is an upper bound; the metric says by `basis` which of the two it was.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from boardroom.coordinator.metrics import Basis, Metrics
from boardroom.engine.protocol import Generation

COUNT_SECONDS: Final = 1.0
"""Busy time that does not end is counted at this interval, in seconds."""

_WEIGHT: Final = 0.2
"""The weight of the newest measurement in the running average."""

MIN_TOKENS: Final = 8
"""Shorter answers are mostly prefill, and say little of the seconds per token."""


@dataclass(slots=True, eq=False)
class InFlight:
    """A request in LoRAX."""

    began: float
    alone: bool


class GpuSecondsMeter:
    """Measures and estimates the GPU-seconds of a LoRAX server; `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float], metrics: Metrics) -> None:
        self._clock = clock
        self._metrics = metrics
        self._in_flight: set[InFlight] = set()
        self._counted = 0.0
        self.seconds_per_token: float | None = None
        """The seconds per token of a request that is alone in LoRAX. None: no request has been alone yet."""

    def request_started(self) -> InFlight:
        """A request goes to LoRAX."""
        now = self._clock()
        if not self._in_flight:
            self._counted = now
        elif len(self._in_flight) == 1:
            for other in self._in_flight:
                other.alone = False
        request = InFlight(now, alone=not self._in_flight)
        self._in_flight.add(request)
        return request

    def request_ended(self, request: InFlight, generation: Generation | None = None) -> None:
        """A request has ended. `generation` is its result; None if it failed."""
        now = self._clock()
        self._in_flight.discard(request)
        if not self._in_flight or now >= self._counted + COUNT_SECONDS:
            self._metrics.busy(now - self._counted)
            self._counted = now
        if generation is None:
            return
        own = now - request.began if generation.inference_ms is None else generation.inference_ms / 1000
        tokens = generation.completion_tokens
        if request.alone and tokens >= MIN_TOKENS:
            self._learn(own / tokens)
        if request.alone or self.seconds_per_token is None or tokens < MIN_TOKENS:
            self._metrics.separate(Basis.ALONE if request.alone else Basis.BATCH, own)
        else:
            self._metrics.separate(Basis.ALONE, min(own, tokens * self.seconds_per_token))

    def _learn(self, seconds_per_token: float) -> None:
        before = self.seconds_per_token
        weight = 1.0 if before is None else _WEIGHT
        self.seconds_per_token = (1 - weight) * (before or 0.0) + weight * seconds_per_token
