"""Reads a refusal of any server with OpenAI's chat route, in whatever shape it comes. Pure.

Besides OpenAI's own {"error": {"message", "param", "code"}} there are {"error": "text"}, {"message": "text"}, the same
in a list, FastAPI's {"detail": [{"loc", "msg"}]}, each of them inside of another, and plain text.
"""

import re
from collections.abc import Container, Iterable, Mapping
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from boardroom.engine.errors import (
    EngineError,
    GenerationFailed,
    InvalidRequest,
    Misconfigured,
    Overloaded,
    Unauthorized,
    Unhealthy,
    one_line,
)

MAX_READ_CHARS: Final = 4096
"""How much of a message is searched."""

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
"""The parameter is known then, and its value is wrong: that is the question's fault."""
_CLAUSES: Final = re.compile(r"[.;!?]\s|\n")
_CONFIGURED: Final = "check spec.standardInference.url and model"
_CREDENTIALS: Final = "check spec.standardInference.apiKeySecretRef"
_UNPAID: Final = "pay the account that the key of spec.standardInference.apiKeySecretRef belongs to"
_BODY_STATUSES: Final = (400, 422)
_PAYMENT_REQUIRED: Final = 402
_TOO_MANY_REQUESTS: Final = 429
_CHAT_ROUTE_STATUSES: Final = frozenset({400, 408, 409, 413, 422, 424, 425, 429})
"""Any other status from 300 to 499 means a wrong URL or an unknown model."""


class Refusal(msgspec.Struct, frozen=True):
    """A server's refusal: HTTP status, message, and the error's other fields; all but the status may be empty."""

    status: int
    text: str
    codes: frozenset[str] = frozenset()
    """`code`, `type` and `status`, in lower case."""
    param: str = ""

    def without(self, secret: str) -> "Refusal":
        """Return the refusal without the API key: some servers repeat it, and callers read the text."""
        return replace(self, text=self.text.replace(secret, "…")) if secret else self

    @property
    def cause(self) -> str:
        return f"standard inference: {one_line(self.text) or 'no text'} (HTTP {self.status})"

    def unsupported_parameter(self, aliases: Mapping[str, re.Pattern[str]], ours: Container[str]) -> str | None:
        """Return which of these parameters (name, and pattern of its names in a text) the server does not support.

        None if the refusal is about something else. Parameters in `ours` are set by this driver alone, so that any
        mention of them counts.
        """
        if self.status not in (400, 422, 500, 501):
            return None
        text = self.text[:MAX_READ_CHARS]
        named = next((name for name, alias in aliases.items() if alias.search(self.param)), None)
        if named is not None and (named in ours or self.codes & _UNSUPPORTED_CODES or _is_unsupported(text)):
            return named
        clauses = _CLAUSES.split(text)
        nearest = next((name for clause in clauses if (name := _nearest(clause, aliases)) is not None), None)
        return nearest or next((name for name in aliases if name in ours and aliases[name].search(text)), None)

    def error(self) -> EngineError:
        """Return the error that the refusal means: the configuration's fault, the request's, or the server's."""
        if (error := self._configuration_error()) is not None:
            return error
        match self.status:
            case 400 | 413 | 422:
                return InvalidRequest(self.cause)
            case 429 | 529:
                return Overloaded(self.cause)
            case 502 | 503 | 504:
                return Unhealthy(self.cause)
            case _:
                return GenerationFailed(self.cause)

    def _configuration_error(self) -> EngineError | None:
        """Return the error if spec.standardInference is wrong, so that every question would fail."""
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
    """Carries a refusal to the driver, which may try another form of the request."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.cause)
        self.refusal = refusal


def read_refusal(status: int, body: bytes) -> Refusal:
    """Return the refusal in a response with this status (not 2xx)."""
    try:
        content = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        content = body.decode("utf-8", "replace")
    return _refusal(status, content)


def refusal_within(body: bytes) -> Refusal | None:
    """Return the refusal in a response with status 200 or in an event of a stream; None: no refusal."""
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
    if isinstance(content, list) and content:  # Google sends a list
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
    """Return the text of a refusal, in whatever shape it is."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "; ".join(filter(None, map(_text, content)))
    if not isinstance(content, dict):
        return ""
    place = content.get("loc")
    where = [str(part) for part in place if part != "body"] if isinstance(place, list) else []
    text = next((text for name in ("message", "detail", "msg", "error") if (text := _text(content.get(name)))), "")
    return f"{'.'.join(where)}: {text}" if where else text


def _is_unsupported(clause: str) -> bool:
    """Whether the clause says that something is unsupported, and not only that a value is out of range."""
    return bool(_UNSUPPORTED.search(clause)) and not _OUT_OF_RANGE.search(clause)


def _nearest(clause: str, aliases: Mapping[str, re.Pattern[str]]) -> str | None:
    """Return the parameter that the clause says is unsupported: the nearest one, as it may name supported ones too."""
    if not _is_unsupported(clause):
        return None
    words = [found.span() for found in _UNSUPPORTED.finditer(clause)]
    near = [
        (_distance(found.span(), words), name) for name, alias in aliases.items() for found in alias.finditer(clause)
    ]
    return min(near)[1] if near else None


def _distance(span: tuple[int, int], others: Iterable[tuple[int, int]]) -> int:
    """Return the characters between a span of a text and the nearest of others."""
    return min(max(start - span[1], span[0] - end, 0) for start, end in others)
