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
    """A name for one life of a server, from its start to its end, that no other life has, whoever names it."""
    return secrets.token_hex(8)


class RequestCounter:
    """How many requests an engine must have counted by now, if it is still the process that counted `requests`."""

    def __init__(self, requests: int) -> None:
        self._first = self._last = requests
        self._answered = 0

    @property
    def minimum(self) -> int:
        """What it says can't be less."""
        return max(self._last, self._first + self._answered)

    def add_answers(self, requests: int) -> None:
        """So many more, of those that left since, were answered."""
        self._answered += requests

    def is_same_process(self, requests: int) -> bool:
        """It says so many. Whether it can be the same process. One that has never counted any may not count at all."""
        same = requests >= self.minimum or requests == self._last == 0
        self._last = requests
        return same


@dataclass(frozen=True, slots=True)
class RequestTarget:
    """An incarnation of the server, and the digest of the adapter's files as far as known."""

    incarnation: str
    digest: str | None = None
