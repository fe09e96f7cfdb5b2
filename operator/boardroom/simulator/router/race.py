"""LoRAX's race for an adapter that is being offloaded: whether a request loses it, and where in its answer.

An adapter whose offload is queued counts as ready until that is done. A request that begins meanwhile is answered by
the base model, without a sign (docs/lorax.md#stale-adapter-race); if memory for adapters is short, also from the middle
of its answer (docs/lorax.md#mid-answer-eviction).
"""

from random import Random

from boardroom.simulator.entry import Entry


class Race:
    """Draws from one seeded generator, so that a run can be repeated."""

    def __init__(self, random: Random, probability: float) -> None:
        self._random = random
        self._probability = probability

    def enter(self, entry: Entry, *, memory_is_short: bool) -> None:
        """Decide whether a request loses its adapter, which is being offloaded."""
        if self._random.random() < self._probability:
            entry.loses_adapter_at = self._random.random() if memory_is_short else 0.0
