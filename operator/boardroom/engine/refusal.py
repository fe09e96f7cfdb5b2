"""What a server with OpenAI's chat route says where it refuses a request, whatever shape it says it in. Pure.

Beside OpenAI's own {"error": {"message", "param", "code"}} there are {"error": "text"}, {"message": "text"}, the same
in a list, FastAPI's {"detail": [{"loc", "msg"}]}, either of them inside of the other, and plain text.
"""

import re
from collections.abc import Container, Iterable, Mapping
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from boardroom.engine.classify import clean
from boardroom.engine.errors import (
    EngineError,
    GenerationFailed,
    InvalidRequest,
    Misconfigured,
    Overloaded,
    Unauthorized,
    Unhealthy,
)

MAX_READ_CHARS: Final = 4096
"""Of a message, where names are looked for."""

_KEY_CODES: Final = {"invalid_api_key", "api_key_invalid"}
_MODEL_CODES: Final = {"model_not_found", "invalid_model"}
_QUOTA_CODES: Final = {"insufficient_quota", "billing_not_active", "billing_hard_limit_reached"}
_UNSUPPORTED_CODES: Final = {"unsupported_parameter", "unsupported_value", "unknown_parameter"}

_KEY: Final = re.compile(
    r"(?:invalid|incorrect|wrong|expired|missing|no)\W+(?:\w+\W+)?api[ _-]?key"
    r"|api[ _-]?key\b[^.]{0,60}?\b(?:not valid|not found|invalid|incorrect|wrong|expired|missing|required|disabled)",
    re.IGNORECASE,
)
_MODEL: Final = re.compile(
    r"\b(?:invalid|unknown|no such) model\b"
    r"|\bmodel\b[^.]{0,300}?\b(?:does not exist|not exist|doesn't exist|not found|is not a valid model)"
    r"|\bis not a valid model\b",
    re.IGNORECASE,
)
_UNSUPPORTED: Final = re.compile(
    r"unsupported|not support|n't support|unrecogni[sz]ed|not recogni[sz]ed|unknown|unexpected|extraneous"
    r"|extra (?:inputs?|fields?)|additional propert|not (?:permitted|allowed|accepted|available|enabled|implemented)"
    r"|unavailable|invalid (?:parameter|argument|field|property|option|key)|deprecated|can(?:not|'t) (?:both )?be",
    re.IGNORECASE,
)
_OUT_OF_RANGE: Final = re.compile(
    r"\b(?:between|range|at (?:most|least)|(?:less|greater|more|fewer) than|(?:must|should) be|maximum|minimum|exceeds?"
    r"|too (?:large|small|high|low|long|many))\b",
    re.IGNORECASE,
)
"""Then the field is known, and what stands in it is the question's own fault."""
_CLAUSES: Final = re.compile(r"[.;!?]\s|\n")
_CONFIGURED: Final = "check spec.standardInference.url and model"
_CREDENTIALS: Final = "check spec.standardInference.apiKeySecretRef"
_UNPAID: Final = "pay the account that the key of spec.standardInference.apiKeySecretRef belongs to"
_BODY_STATUSES: Final = (400, 422)
_PAYMENT_REQUIRED: Final = 402
_TOO_MANY_REQUESTS: Final = 429
_CHAT_ROUTE_STATUSES: Final = frozenset({400, 408, 409, 413, 422, 424, 425, 429})
"""Every other status below 500 is of a URL that leads elsewhere, or of a model that is not there."""


class Refusal(msgspec.Struct, frozen=True):
    """One refusal: its HTTP status, the server's words, and what it names beside them, each perhaps empty."""

    status: int
    text: str
    codes: frozenset[str] = frozenset()
    """`code`, `type` and their like, in lower case."""
    param: str = ""

    def without(self, secret: str) -> "Refusal":
        """The same where the server repeats the key that it was sent: callers read its words."""
        return replace(self, text=self.text.replace(secret, "…")) if secret else self

    @property
    def cause(self) -> str:
        return f"standard inference: {clean(self.text) or 'no text'} (HTTP {self.status})"

    def unsupported_parameter(self, aliases: Mapping[str, re.Pattern[str]], ours: Container[str]) -> str | None:
        """Which of these parameters, by name and what it is called in a text, the server does not take; None where it
        refuses something else. What stands in `ours` is wholly our own, so that any word against it counts.
        """
        if self.status not in (400, 422, 500, 501):
            return None
        text = self.text[:MAX_READ_CHARS]
        named = next((name for name, alias in aliases.items() if alias.search(self.param)), None)
        if named is not None and (named in ours or self.codes & _UNSUPPORTED_CODES or _is_unsupported(text)):
            return named
        clauses = _CLAUSES.split(text)
        found = next((name for clause in clauses if (name := _nearest(clause, aliases)) is not None), None)
        return found or next((name for name in aliases if name in ours and aliases[name].search(text)), None)

    def error(self) -> EngineError:
        """What it stands for. Only what a server says of the request itself is the question's own fault."""
        if (found := self._of_configuration()) is not None:
            return found
        match self.status:
            case 400 | 413 | 422:
                return InvalidRequest(self.cause)
            case 429 | 529:
                return Overloaded(self.cause)
            case 502 | 503 | 504:
                return Unhealthy(self.cause)
            case _:
                return GenerationFailed(self.cause)

    def _of_configuration(self) -> EngineError | None:
        """What no question can help, and who wrote spec.standardInference can."""
        text, of_the_body = self.text[:MAX_READ_CHARS], self.status in _BODY_STATUSES
        if self.status in (401, 403) or (of_the_body and (self.codes & _KEY_CODES or _KEY.search(text))):
            return Unauthorized(f"{self.cause}; {_CREDENTIALS}")
        if self.status == _PAYMENT_REQUIRED or (self.status == _TOO_MANY_REQUESTS and self.codes & _QUOTA_CODES):
            return Misconfigured(f"{self.cause}; {_UNPAID}")
        elsewhere = 300 <= self.status < 500 and self.status not in _CHAT_ROUTE_STATUSES  # noqa: PLR2004 (below the server's own)
        if elsewhere or (of_the_body and (self.codes & _MODEL_CODES or _MODEL.search(text))):
            return Misconfigured(f"{self.cause}; {_CONFIGURED}")
        return None


class RefusedError(Exception):
    """Carries a refusal to where it is known what else can be tried."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.cause)
        self.refusal = refusal


def read_refusal(status: int, body: bytes) -> Refusal:
    """The refusal in an answer with this status (not 2xx)."""
    try:
        content = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        content = body.decode("utf-8", "replace")
    return _refusal(status, content)


def refusal_within(body: bytes) -> Refusal | None:
    """The refusal in an answer with status 200, or in an event of a stream, if it is one: {"error": ...}."""
    try:
        content = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(content, dict):
        return None
    error = content if content.get("object") == "error" else content.get("error")
    if not error:
        return None
    code = error.get("code") if isinstance(error, dict) else None
    status = code if isinstance(code, int) and 400 <= code < 500 else 200  # noqa: PLR2004 (a fault of the client's)
    return _refusal(status, content)


def _refusal(status: int, content: object) -> Refusal:
    if isinstance(content, list) and content:  # Google's
        content = content[0]
    error = content.get("error", content) if isinstance(content, dict) else content
    fields: Mapping[str, Any] = error if isinstance(error, dict) else {}
    codes = (fields.get(name) for name in ("code", "type", "status"))
    param = fields.get("param")
    return Refusal(
        status,
        _text(error),
        frozenset(code.lower() for code in codes if isinstance(code, str)),
        param if isinstance(param, str) else "",
    )


def _text(content: object) -> str:
    """The words in whatever holds them."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "; ".join(filter(None, map(_text, content)))
    if not isinstance(content, dict):
        return ""
    place = content.get("loc")
    where = [str(part) for part in place if part != "body"] if isinstance(place, list) else []
    text = next((found for name in ("message", "detail", "msg", "error") if (found := _text(content.get(name)))), "")
    return f"{'.'.join(where)}: {text}" if where else text


def _is_unsupported(clause: str) -> bool:
    """Whether it says that something is not known here, and not only that it is too large."""
    return bool(_UNSUPPORTED.search(clause)) and not _OUT_OF_RANGE.search(clause)


def _nearest(clause: str, aliases: Mapping[str, re.Pattern[str]]) -> str | None:
    """The parameter that this part of a text says is not taken: others may be named as what is."""
    if not _is_unsupported(clause):
        return None
    words = [found.span() for found in _UNSUPPORTED.finditer(clause)]
    near = [
        (_distance(found.span(), words), name) for name, alias in aliases.items() for found in alias.finditer(clause)
    ]
    return min(near)[1] if near else None


def _distance(one: tuple[int, int], others: Iterable[tuple[int, int]]) -> int:
    """Characters between a place in a text and the nearest of others."""
    return min(max(start - one[1], one[0] - end, 0) for start, end in others)
