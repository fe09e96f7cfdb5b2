"""Why an engine gave no text: a small set of our own, so that callers never read an engine's error texts."""

# ruff: noqa: N818 (named for what happened, as aiohttp and asyncio name theirs)

from collections.abc import Sequence
from enum import StrEnum
from typing import ClassVar, Final

MAX_PATH_CHARS: Final = 200
MAX_WHY_CHARS: Final = 400


class EngineError(Exception):
    """The base of all; str() is the cause in words.

    `code` is a bounded label for metrics; `retryable` says whether the same request alone may succeed at once.
    """

    code: ClassVar[str] = "engine_error"
    retryable: ClassVar[bool] = False


class Unreachable(EngineError):
    """No connection: nothing was asked."""

    code = "unreachable"


class Starting(Unreachable):
    """The connection was refused: LoRAX opens its port only after weights and warm-up, many minutes after its start."""

    code = "starting"


class ConnectionLost(EngineError):
    """The connection broke while the engine was at work."""

    code = "connection_lost"
    retryable = True


class Quarantined(EngineError):
    """The request was not sent: engines were lost while they worked on its like."""

    code = "quarantined"


class Superseded(EngineError):
    """The engine has started anew since it was asked, unseen: the answer may be of another process than was meant."""

    code = "superseded"
    retryable = True


class EngineTimeout(EngineError):
    """No answer within the time given."""

    code = "timeout"


class Unhealthy(EngineError):
    """The engine says of itself that it can't serve (503)."""

    code = "unhealthy"


class Overloaded(EngineError):
    """The engine takes no more requests right now (429); asking again a little later may help."""

    code = "overloaded"


class Unauthorized(EngineError):
    """The engine does not take our credentials."""

    code = "refused"


class Misconfigured(EngineError):
    """No question can be answered as the engine is set up: a wrong URL, no such model, an account without credit."""

    code = "misconfigured"


class InvalidRequest(EngineError):
    """The engine refuses the request as it stands: too long, out of range."""

    code = "invalid_request"


class SchemaRefused(InvalidRequest):
    """A JSON schema that the engine must not be sent; `path` leads to the place in it, and str() names both."""

    def __init__(self, path: Sequence[str], why: str) -> None:
        self.path = _cut(".".join(part[:64] for part in path), MAX_PATH_CHARS)
        self.why = _cut(why, MAX_WHY_CHARS)
        super().__init__(f"{self.path}: {self.why}" if path else self.why)


class TemplateFailed(InvalidRequest):
    """The model has no chat template, or its template refuses these messages."""

    code = "template"


class GenerationFailed(EngineError):
    """The forward pass failed. An error in a batch fails every request in it, so one alone may succeed."""

    code = "generation"
    retryable = True


class BadResponse(EngineError):
    """The engine answered something that is not an answer of its protocol."""

    code = "bad_response"
    retryable = True


class AdapterFault(StrEnum):
    """What is wrong with an adapter."""

    MISSING = "missing"
    INCOMPATIBLE = "incompatible"
    TOO_LARGE = "too_large"
    REFUSED = "refused"
    """The engine loads no adapter at all, or not this one."""
    NO_MEMORY = "no_memory"
    """It fits, but the engine can't hold it together with the others."""
    NO_PERMIT = "no_permit"
    """The engine takes fewer requests at once than there are adapters."""


class AdapterFailed(EngineError):
    """The engine can't load the adapter; str() is the engine's own text."""

    code = "adapter"

    def __init__(self, fault: AdapterFault, cause: str) -> None:
        super().__init__(cause)
        self.fault = fault


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
