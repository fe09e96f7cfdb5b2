"""Computes the set of adapters that LoRAX held at the same time from the times when each was active. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from boardroom.engine.protocol import Generation


class ActiveWindow(NamedTuple):
    """When an adapter generated for a probe, on the event loop's clock.

    The network delays requests and answers, and a lost packet delays by more than a short answer takes. So a window
    begins at the latest possible beginning, and ends at the earliest possible end. An adapter without a place begins
    when another one ends, so the edges do not count: a tenth on either side to find adapters that were active together,
    and a quarter to find those that were not.
    """

    began: float
    ended: float
    middle: tuple[float, float]
    """The window by LoRAX's own figures, which are late by the network only."""

    @classmethod
    def of(cls, generation: Generation, sent: float, ended: float) -> "ActiveWindow":
        """The window of a probe that was sent and answered at these times."""
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
    """Adapters (None: the base model) that were active together while others could not be."""

    paths: frozenset[str | None]
    requests_refused: bool
    """Whether LoRAX took no more requests, rather than no more adapters."""


def overlap(windows: Iterable[ActiveWindow]) -> bool:
    """Whether all of them were active at one moment."""
    all_ = list(windows)
    return max((s.began for s in all_), default=0.0) <= min((s.ended for s in all_), default=0.0)


def largest_overlap(windows: Mapping[str | None, ActiveWindow]) -> frozenset[str | None]:
    """The most adapters whose windows' middles share a moment."""
    moments = [s.middle[0] for s in windows.values()]
    groups = (frozenset(path for path, s in windows.items() if s.middle[0] <= at <= s.middle[1]) for at in moments)
    return max(groups, key=len, default=frozenset())
