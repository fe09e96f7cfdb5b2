"""LoRAX's race for an adapter that is on its way out (LORAX.md, traps 3 and 13): who loses it, and where in the answer.

An adapter whose offload is ordered counts as ready until that is done. Who begins meanwhile is answered by the base
model, without a sign; where memory for adapters is short, also from the middle of the answer.
"""

from random import Random

from boardroom.simulator.entry import Entry


class Race:
    """Draws by its own odds, so that the same run goes wrong in the same way."""

    def __init__(self, random: Random, probability: float) -> None:
        self._random = random
        self._probability = probability

    def enter(self, entry: Entry, *, memory_is_short: bool) -> None:
        """A request and its adapter's offload have met."""
        if self._random.random() < self._probability:
            entry.loses_adapter_at = self._random.random() if memory_is_short else 0.0
