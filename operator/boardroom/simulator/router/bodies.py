"""Parses request bodies, with the errors of axum and serde."""

import re
from http import HTTPStatus
from typing import Any, Final, TypeVar

import msgspec

from boardroom.simulator.errors import Rejection
from boardroom.simulator.router.duplicates import duplicate_field
from boardroom.simulator.router.exchange import Exchange

Body = TypeVar("Body", bound=msgspec.Struct)

_MISSING: Final = re.compile(r"^Object missing required field `([^`]+)`")
_PATH: Final = re.compile(r" - at `\$\.?([^`]*)`$")
_EXPECTED: Final = re.compile(r"^Expected `([^`]+)`")
_VARIANT: Final = re.compile(r'^string "|"$')
_BYTE: Final = re.compile(r"\(byte (\d+)\)")
_BEHIND: Final = re.compile(r"trailing characters \(byte (\d+)\)")
_NAMES: Final = {
    "str": "a string",
    "int": "u32",
    "float": "f32",
    "bool": "a boolean",
    "array": "a sequence",
    "object": "a map",
}


async def read_body(exchange: Exchange, kind: type[Body]) -> Body:
    """Return the request's JSON as a struct; raises Rejection in plain text.

    The message is serde's, but its position is always the end of the body: the decoder here doesn't report one.
    """
    content_type = (exchange.header(b"content-type") or "").split(";")[0].strip().lower()
    if content_type != "application/json" and not re.fullmatch(r"application/[^/]+\+json", content_type):
        raise Rejection(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Expected request with `Content-Type: application/json`")
    body = await exchange.body()
    try:
        value, body = _first_value(body, kind)
        doubled = duplicate_field(body, kind)
    except msgspec.ValidationError as error:
        raise _untyped(_mismatch(str(error), body), body) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Rejection(
            HTTPStatus.BAD_REQUEST, f"Failed to parse the request body as JSON: {_syntax(str(error), body)}"
        ) from error
    if doubled is not None:
        path, name = doubled
        raise _untyped(f"{path}: duplicate field `{name}`".removeprefix(": "), body)
    return value


def _first_value(body: bytes, kind: type[Body]) -> tuple[Body, bytes]:
    """Decode the first JSON value of the body, and return its bytes too: LoRAX ignores the rest."""
    try:
        return msgspec.json.decode(body, type=kind), body
    except msgspec.DecodeError as error:
        behind = _BEHIND.search(str(error))
        if behind is None:
            raise
        body = body[: int(behind[1]) - 1]  # msgspec counts the first trailing character
        return msgspec.json.decode(body, type=kind), body


def _untyped(what: str, body: bytes) -> Rejection:
    return Rejection(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        f"Failed to deserialize the JSON body into the target type: {what} at {_position(body, len(body))}",
    )


def _syntax(message: str, body: bytes) -> str:
    byte = _BYTE.search(message)
    if byte is None:
        return f"EOF while parsing a value at {_position(body, len(body))}"
    return f"expected value at {_position(body, int(byte[1]) + 1)}"


def _position(body: bytes, byte: int) -> str:
    lines = body[:byte].split(b"\n")
    return f"line {len(lines)} column {len(lines[-1])}"


def _mismatch(message: str, body: bytes) -> str:
    at = _PATH.search(message)
    path = at[1] if at else ""
    prefix = f"{path}: " if path else ""
    missing = _MISSING.match(message)
    if missing:
        return f"{prefix}missing field `{missing[1]}`"
    try:
        value = _unexpected(_value_at(msgspec.json.decode(body), path))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):  # the rest of the body isn't JSON
        value = "value"
    expected = _EXPECTED.match(message)
    if message.startswith("Invalid enum value"):
        variants = "`Text`, `JsonObject`, `JsonSchema`"  # the only enumeration in LoRAX's bodies
        return f"{prefix}unknown variant {_VARIANT.sub('`', value)}, expected one of {variants}"
    if expected is None:
        return f"{prefix}invalid value: {value}"
    name = expected[1].split(" ")[0]
    wrong = "value" if value.startswith("integer") and name == "int" else "type"
    return f"{prefix}invalid {wrong}: {value}, expected {_NAMES.get(name, name)}"


def _value_at(document: Any, path: str) -> Any:
    for step in re.findall(r"[^.\[\]]+", path):
        if isinstance(document, dict):
            document = document.get(step)
        elif isinstance(document, list) and step.isdigit():
            document = document[int(step)]
    return document


def _unexpected(value: Any) -> str:
    if isinstance(value, bool):
        return f"boolean `{str(value).lower()}`"
    if isinstance(value, str):
        return f'string "{value}"'
    if isinstance(value, int | float):
        return f"{'integer' if isinstance(value, int) else 'floating point'} `{value}`"
    if isinstance(value, list | dict):
        return "sequence" if isinstance(value, list) else "map"
    return "null"
