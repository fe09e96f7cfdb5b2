"""Which adapters LoRAX held at the same time, told from when each was active. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from boardroom.engine.protocol import Generation


class ActiveWindow(NamedTuple):
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
    def of(cls, generation: Generation, sent: float, ended: float) -> "ActiveWindow":
        """Of a probe that left and was answered at these times."""
        if generation.queue_ms is None or generation.inference_ms is None:
            return cls(sent, ended, (sent, ended))
        seconds, begins = generation.inference_ms / 1000, sent + generation.queue_ms / 1000
        return cls(
            max(sent, ended - seconds) + seconds / 10,
            begins + seconds - seconds / 10,
            (begins + seconds / 4, begins + 3 * seconds / 4),
        )


@dataclass(frozen=True)
class ActiveSet:
    """Adapters (None: the base model) that spoke together while others could not."""

    paths: frozenset[str | None]
    requests_refused: bool
    """Whether LoRAX took no more requests, rather than no more adapters."""


def overlap(windows: Iterable[ActiveWindow]) -> bool:
    """Whether there was a moment at which all of them were speaking."""
    all_ = list(windows)
    return max((s.began for s in all_), default=0.0) <= min((s.ended for s in all_), default=0.0)


def largest_overlap(windows: Mapping[str | None, ActiveWindow]) -> frozenset[str | None]:
    """The most that were in the middle of their speech at one moment."""
    moments = [s.middle[0] for s in windows.values()]
    groups = (frozenset(path for path, s in windows.items() if s.middle[0] <= at <= s.middle[1]) for at in moments)
    return max(groups, key=len, default=frozenset())
