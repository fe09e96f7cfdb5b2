"""Which adapters LoRAX held at the same time, told from when they were speaking. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from boardroom.engine.protocol import Generation


class Speech(NamedTuple):
    """When an adapter was speaking for a probe, on the event loop's clock.

    The network delays requests and answers, and a lost packet by more than a short speech lasts. So a speech counts
    from when it had begun at the latest until when it had not ended yet. An adapter that has no place begins where
    another ends, so the edges don't count: a tenth on either side where the question is who spoke together, and a
    quarter where it is who did not.
    """

    began: float
    ended: float
    middle: tuple[float, float]
    """By LoRAX's own figures, which are late by the network only."""

    @classmethod
    def of(cls, generation: Generation, left: float, ended: float) -> "Speech":
        """Of a probe that left and was answered at these times."""
        if generation.queue_ms is None or generation.inference_ms is None:
            return cls(left, ended, (left, ended))
        seconds, begins = generation.inference_ms / 1000, left + generation.queue_ms / 1000
        return cls(
            max(left, ended - seconds) + seconds / 10,
            begins + seconds - seconds / 10,
            (begins + seconds / 4, begins + 3 * seconds / 4),
        )


@dataclass(frozen=True)
class Crowd:
    """Adapters (None: the base model) that spoke together while others could not."""

    together: frozenset[str | None]
    refused: bool
    """Whether LoRAX took no more requests, rather than no more adapters."""


def together(speeches: Iterable[Speech]) -> bool:
    """Whether there was a moment at which all of them were speaking."""
    all_ = list(speeches)
    return max((s.began for s in all_), default=0.0) <= min((s.ended for s in all_), default=0.0)


def most_at_once(speeches: Mapping[str | None, Speech]) -> frozenset[str | None]:
    """The most that were in the middle of their speech at one moment."""
    moments = [s.middle[0] for s in speeches.values()]
    crowds = (frozenset(path for path, s in speeches.items() if s.middle[0] <= at <= s.middle[1]) for at in moments)
    return max(crowds, key=len, default=frozenset())
