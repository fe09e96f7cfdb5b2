"""Why an engine returned no text: our own errors, so that callers never parse an engine's error texts."""

# ruff: noqa: N818 (named for the event, as in aiohttp and asyncio)

from collections.abc import Sequence
from enum import StrEnum
from typing import ClassVar, Final

MAX_CAUSE_CHARS: Final = 600
MAX_PATH_CHARS: Final = 200
MAX_WHY_CHARS: Final = 400


class EngineError(Exception):
    """The base of all; str() is the cause in words.

    `code` is a label for metrics. If `retryable`, the same request, sent alone, may succeed at once.
    """

    code: ClassVar[str] = "engine_error"
    retryable: ClassVar[bool] = False


class Unreachable(EngineError):
    """The transport has no connection; nothing was sent."""

    code = "unreachable"


class Starting(Unreachable):
    """The connection was refused: LoRAX opens its port after loading and warm-up (docs/lorax.md#late-port)."""

    code = "starting"


class ConnectionLost(EngineError):
    """The connection broke while the engine worked on the request."""

    code = "connection_lost"
    retryable = True


class Quarantined(EngineError):
    """The request was not sent, because engines were lost while they worked on the same question."""

    code = "quarantined"


class Superseded(EngineError):
    """The engine restarted unnoticed since the request was sent, so another process than intended may have answered."""

    code = "superseded"
    retryable = True


class EngineTimeout(EngineError):
    """No answer within the time limit."""

    code = "timeout"


class Unhealthy(EngineError):
    """The engine reports that it can't serve (503)."""

    code = "unhealthy"


class Overloaded(EngineError):
    """The engine takes no more requests now (429); a later attempt may succeed."""

    code = "overloaded"


class Unauthorized(EngineError):
    """The engine rejects our credentials."""

    code = "refused"


class Misconfigured(EngineError):
    """The engine's configuration lets no question succeed: wrong URL, unknown model, an account without credit."""

    code = "misconfigured"


class InvalidRequest(EngineError):
    """The engine refuses this request: too long, out of range."""

    code = "invalid_request"


class SchemaRefused(InvalidRequest):
    """A JSON schema that must not be sent to the engine. `path` leads to the place in it; str() has path and reason."""

    def __init__(self, path: Sequence[str], why: str) -> None:
        self.path = _cut(".".join(part[:64] for part in path), MAX_PATH_CHARS)
        self.why = _cut(why, MAX_WHY_CHARS)
        super().__init__(f"{self.path}: {self.why}" if path else self.why)


class TemplateFailed(InvalidRequest):
    """The model has no chat template, or the template refuses these messages."""

    code = "template"


class GenerationFailed(EngineError):
    """The forward pass failed. An error fails every request of its batch, so one sent alone may succeed
    (docs/lorax.md#batch-error).
    """

    code = "generation"
    retryable = True


class BadResponse(EngineError):
    """The engine's response is not one of its protocol."""

    code = "bad_response"
    retryable = True


class AdapterFault(StrEnum):
    """The reason why an engine can't use an adapter."""

    MISSING = "missing"
    INCOMPATIBLE = "incompatible"
    TOO_LARGE = "too_large"
    REFUSED = "refused"
    """The engine loads no adapter at all, or not this one."""
    NO_MEMORY = "no_memory"
    """The adapter fits, but not together with the others."""
    NO_PERMIT = "no_permit"
    """The engine takes fewer concurrent requests than there are adapters."""


class AdapterFailed(EngineError):
    """The engine can't load the adapter; str() is the engine's text."""

    code = "adapter"

    def __init__(self, fault: AdapterFault, cause: str) -> None:
        super().__init__(cause)
        self.fault = fault


def one_line(text: str) -> str:
    """Return an engine's text as one bounded printable line, for answers, conditions and logs."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * MAX_CAUSE_CHARS]).split())
    return _cut(line, MAX_CAUSE_CHARS)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
