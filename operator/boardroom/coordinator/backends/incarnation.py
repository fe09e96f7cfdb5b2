"""The process and files that a request was sent to: its result says nothing of any other."""

import secrets
from dataclasses import dataclass
from typing import Final

NO_REPORT: Final = (
    "have no digest, because no adapters service has told what lies there; this answer's weights are not known"
)
CHANGED: Final = (
    "changed after LoRAX loaded them, and LoRAX may still answer with the old ones; put new weights under a new path"
)
UNCONFIRMED: Final = (
    "may have changed while LoRAX loaded them: the adapters service has not answered since; this answer's weights are "
    "not known"
)
MAY_BE_EVICTED: Final = (
    "may have left the GPU while this answer was being given, because LoRAX began to load others; the answer may be "
    "the base model's in part"
)
"""Why an answer has no digest."""


def new_incarnation() -> str:
    """A unique name for a server's incarnation, from its start to its end, over all coordinators."""
    return secrets.token_hex(8)


class RequestCounter:
    """The number of requests that an engine must have counted by now, if it is the process that counted `requests`."""

    def __init__(self, requests: int) -> None:
        self._first = self._last = requests
        self._answered = 0

    @property
    def minimum(self) -> int:
        """The lowest count that the same process can report."""
        return max(self._last, self._first + self._answered)

    def add_answers(self, requests: int) -> None:
        """Add this number of requests that left since the first count and were answered."""
        self._answered += requests

    def is_same_process(self, requests: int) -> bool:
        """Whether a process that reports this count can be the same. An engine that always reports 0 may not count."""
        same = requests >= self.minimum or requests == self._last == 0
        self._last = requests
        return same


@dataclass(frozen=True, slots=True)
class RequestTarget:
    """An incarnation of the server, and the digest of the adapter's files as far as known."""

    incarnation: str
    digest: str | None = None
