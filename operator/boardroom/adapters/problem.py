"""Why an adapter can't be served, in the words that a BoardAgent's status carries."""

from dataclasses import dataclass
from typing import Literal

Reason = Literal[
    "AdapterMissing", "AdapterInvalid", "UnsupportedFeature", "TooLarge", "DownloadFailed", "CredentialsMissing"
]


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason; the message names file, field and remedy."""

    reason: Reason
    message: str


class ProblemError(Exception):
    """Reading an adapter stopped at this problem."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.problem = Problem(reason, message)
