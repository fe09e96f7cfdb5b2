"""Why an adapter can't be served: reason and message, as a BoardAgent's status has them."""

from dataclasses import dataclass
from typing import Final, Literal

Reason = Literal[
    "AdapterMissing", "AdapterInvalid", "UnsupportedFeature", "TooLarge", "DownloadFailed", "CredentialsMissing"
]


_MAX_MESSAGE: Final = 2000


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem of an adapter. The message names file, field and remedy; long messages are cut in the middle."""

    reason: Reason
    message: str

    def __post_init__(self) -> None:
        if len(self.message) > _MAX_MESSAGE:
            half = _MAX_MESSAGE // 2
            object.__setattr__(self, "message", f"{self.message[:half]} ... {self.message[-half:]}")


class ProblemError(Exception):
    """Reading an adapter stopped at this problem."""

    def __init__(self, reason: Reason, message: str) -> None:
        self.problem = Problem(reason, message)
        super().__init__(self.problem.message)
