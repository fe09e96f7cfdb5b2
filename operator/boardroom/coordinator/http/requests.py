"""POST /v1/ask: from bytes to a valid AskRequest. Each ApiError names the field or header that is wrong."""

import asyncio
import codecs
import re
from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import from_json, to_json
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from boardroom.api.ask import MAX_BODY_BYTES, MAX_QUESTION_CHARS, AskRequest, CoordinationMode, Parameters
from boardroom.coordinator.errors import (
    ApiError,
    InvalidJson,
    InvalidQuestion,
    TooLarge,
    TooSlow,
    UnsupportedMediaType,
    UnsupportedTransferCoding,
)

MAX_BODY_SECONDS: Final = 30.0
"""Limit on the time that a body takes to arrive."""

JSON: Final = "application/json"
_CHARSET: Final = re.compile(r"""(?:^|[;\s])charset=["']?([^"';\s]+)""")
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")


def header_fields(scope: Scope) -> dict[str, str]:
    """The headers of an ASGI request, by name in lower case; the first value if a name is there twice."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(scope["headers"])}


async def read_body(scope: Scope, receive: Receive, headers: Mapping[str, str]) -> bytes:
    """Read the body, at most MAX_BODY_BYTES within MAX_BODY_SECONDS, without a byte order mark. Raises TooLarge,
    TooSlow, UnsupportedMediaType, UnsupportedTransferCoding and ClientDisconnect.
    """
    _check_headers(scope, headers)
    announced = headers.get("content-length", "")
    if announced.isdigit() and int(announced) > MAX_BODY_BYTES:
        raise _too_large()
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(MAX_BODY_SECONDS):
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                chunks.append(message.get("body", b""))
                size += len(chunks[-1])
                if size > MAX_BODY_BYTES:
                    raise _too_large()
                more = message.get("more_body", False)
    except TimeoutError as error:
        raise TooSlow(f"the body did not arrive within {MAX_BODY_SECONDS:g} s: send it at once") from error
    return b"".join(chunks).removeprefix(codecs.BOM_UTF8)


def _too_large() -> TooLarge:
    return TooLarge(f"the body is longer than {MAX_BODY_BYTES} bytes")


def _check_headers(scope: Scope, headers: Mapping[str, str]) -> None:
    """Raise the ApiError that names the header by which the body is not plain JSON in UTF-8.

    A browser's page must send content-type JSON: only then does the browser send a preflight first (CORS).
    """
    unsaid = "" if "origin" in headers else JSON
    content_type = headers.get("content-type", unsaid)
    if content_type != JSON:
        _check_content_type(content_type)
    if "content-encoding" in headers:
        coding = _codings(scope, b"content-encoding") - {"identity"}
        if coding:
            raise UnsupportedMediaType(
                f"content-encoding is {', '.join(sorted(coding))!r}: send the body as it is, without it",
                field="content-encoding",
            )
    if "transfer-encoding" in headers:
        coding = _codings(scope, b"transfer-encoding") - {"chunked"}
        if coding:
            raise UnsupportedTransferCoding(
                f"transfer-encoding is {', '.join(sorted(coding))!r}: send the body with a length, or chunked",
                field="transfer-encoding",
            )


def _check_content_type(content_type: str) -> None:
    media_type, _, parameters = content_type.lower().partition(";")
    if media_type.strip() != JSON:
        raise UnsupportedMediaType(f"content-type is {media_type!r}: send {JSON}", field="content-type")
    charset = _CHARSET.search(parameters)
    if charset and charset[1] not in {"utf-8", "utf8", "us-ascii"}:
        raise UnsupportedMediaType(f"content-type: charset is {charset[1]!r}: send UTF-8", field="content-type")


def _codings(scope: Scope, name: bytes) -> set[str]:
    values = [value.decode("latin-1") for field, value in scope["headers"] if field == name]
    return {coding.strip() for coding in ",".join(values).lower().split(",")} - {""}


def parse(body: bytes) -> AskRequest:
    """Parse a question; raises ApiError. Types are strict: "yes" is no boolean and "5" no number. A field that is null
    is absent.
    """
    try:
        request = AskRequest.model_validate_json(_without_nulls(body), strict=True)
    except ValidationError as error:
        raise _problem(error.errors(include_url=False, include_context=False)[0], body) from error
    if not request.user_input.strip():
        raise InvalidQuestion("user_input is blank: ask something", field="user_input")
    return request


def _without_nulls(body: bytes) -> bytes:
    """Drop fields that are null (boardroom.api.request_body), also where the default is another value."""
    if b"null" not in body:
        return body
    try:
        fields = from_json(body)
    except ValueError:
        return body  # its parser says what is wrong
    if not isinstance(fields, dict):
        return body
    return to_json({name: value for name, value in fields.items() if value is not None}, inf_nan_mode="constants")


def valid_request_id(header: str | None) -> str | None:
    """The caller's x-request-id if it is valid: 1 to 128 letters, digits, dots, dashes and underscores."""
    return header if header is not None and _REQUEST_ID.fullmatch(header) else None


def _problem(error: Any, body: bytes) -> ApiError:
    kind: str = error["type"]
    field = ".".join(str(part) for part in error["loc"])
    if kind == "json_invalid":
        return InvalidJson(f"the body is not JSON: {error['msg']}" if body else "the body is empty: send a JSON object")
    if field == "user_input" and kind == "string_too_long":
        return TooLarge(f"user_input is longer than {MAX_QUESTION_CHARS} characters", field=field)
    if field == "coordination_mode":
        modes = ", ".join(CoordinationMode)
        return InvalidQuestion(f"coordination_mode: there is no such mode; the modes are {modes}", field=field)
    if kind == "extra_forbidden":
        owner, fields = ("parameters", Parameters) if field.startswith("parameters.") else ("a question", AskRequest)
        known = ", ".join(fields.model_fields)
        return InvalidQuestion(f"{field}: there is no such field; {owner} has {known}", field=field)
    return InvalidQuestion(f"{field}: {error['msg']}" if field else str(error["msg"]), field=field or None)
