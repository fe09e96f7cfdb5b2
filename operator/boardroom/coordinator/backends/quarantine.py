"""Questions that a LoRAX did not survive are not put to one again and again.

A prefill that fails while others decode ends LoRAX's router (docs/lorax.md#prefill-abort), and the same question would
end it again.
A batch that is retried member by member, for callers whose clients retry too, would end each server as soon as it is
up. Nobody tells which question did it, since all in flight lose the connection at once. So a question that was in
flight when a server was lost is sent once more, for its neighbours' sake; after the second loss it rests for a minute,
and after each further one twice as long. An answer clears it: what was answered since was only a neighbour.
"""

import hashlib
import time
from collections.abc import Callable
from typing import Final

import msgspec

from boardroom.engine.errors import Quarantined
from boardroom.engine.protocol import GenerationRequest

MOST_LOSSES: Final = 2
REST_SECONDS: Final = 60.0
LONGEST_REST_SECONDS: Final = 3600.0
_KEPT: Final = 1024


class _Suspect(msgspec.Struct):
    losses: int = 0
    last_loss: float = 0.0
    """The time of the last loss."""

    @property
    def rest(self) -> float:
        """Seconds after the last loss."""
        if self.losses < MOST_LOSSES:
            return 0.0
        return min(REST_SECONDS * 2.0 ** min(self.losses - MOST_LOSSES, 16), LONGEST_REST_SECONDS)


class Quarantine:
    """Counts the servers that a board lost, by question (text and schema): over all members, and for each member."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._suspects: dict[bytes, _Suspect] = {}
        """Suspects in the order of their last loss, the latest last. The oldest are dropped above _KEPT."""

    @property
    def has_suspects(self) -> bool:
        """Whether a server was lost with any question that is remembered."""
        return bool(self._suspects)

    def refusal(self, key: bytes) -> Quarantined | None:
        """Why the question is not sent now."""
        suspect = self._suspects.get(key)
        left = suspect.last_loss + suspect.rest - self._clock() if suspect is not None else 0.0
        if suspect is None or left <= 0:
            return None
        return Quarantined(
            f"LoRAX was lost {suspect.losses} times while it worked on this question: it is not sent there for "
            f"{left:.0f} s; look into LoRAX's log, or ask less at once (a shorter question, no response_format)"
        )

    def clear(self, key: bytes) -> None:
        """The question was answered, so it ends no LoRAX."""
        self._suspects.pop(key, None)

    def record_loss(self, key: bytes) -> None:
        """A server was lost with the question in it."""
        now = self._clock()
        suspect = self._suspects.pop(key, None)
        if suspect is None or now - suspect.last_loss > LONGEST_REST_SECONDS:
            suspect = _Suspect()
        suspect.losses, suspect.last_loss = suspect.losses + 1, now
        self._suspects[key] = suspect
        while len(self._suspects) > _KEPT:
            self._suspects.pop(next(iter(self._suspects)))


class LossTracker:
    """Counts the losses of a server: a loss counts once for all requests that were in the server."""

    def __init__(self, quarantine: Quarantine) -> None:
        self._quarantine = quarantine
        self.count = 0
        """The number of times that the server was lost."""
        self._recorded: set[bytes] = set()
        """Questions whose last loss is counted already."""

    def refusal(self, request: GenerationRequest) -> Quarantined | None:
        """Why the request is not sent now."""
        if not self._quarantine.has_suspects:
            return None
        return next(filter(None, map(self._quarantine.refusal, fingerprints(request))), None)

    def record_loss(self, request: GenerationRequest, count: int) -> None:
        """The connection broke under a request, which was sent when the server had been lost `count` times."""
        if count == self.count:
            self.count, self._recorded = self.count + 1, set()
        for key in fingerprints(request):
            if key not in self._recorded:
                self._recorded.add(key)
                self._quarantine.record_loss(key)

    def clear(self, request: GenerationRequest) -> None:
        """The request was answered, so it ends no LoRAX."""
        if self._quarantine.has_suspects:
            for key in fingerprints(request):
                self._quarantine.clear(key)


def fingerprints(request: GenerationRequest) -> tuple[bytes, ...]:
    """The digest of the question, the same for all members, and the digest of the question with the adapter."""
    question = (request.prompt, request.response_format)
    texts = (repr(question), repr((question, request.adapter_id)))
    return tuple(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest() for text in texts)
