"""The bearer token of a request, and when it expires."""

import math
from base64 import urlsafe_b64decode
from typing import Final, Protocol

import msgspec

from boardroom.coordinator.errors import Unauthenticated

MAX_TOKEN: Final = 16_384
"""Characters; tokens of identity providers with many groups reach some thousand."""


class Authenticator(Protocol):
    """Decides on each request before its body is read."""

    async def caller(self, authorization: str | None) -> str:
        """The caller's name, for the log; raises Unauthenticated, Forbidden and AuthUnavailable."""

    async def problem(self) -> str:
        """Why no caller at all can be let in, and the remedy; empty if callers can."""


def bearer(authorization: str | None) -> str:
    """The token of an Authorization header; raises Unauthenticated."""
    if not authorization:
        raise Unauthenticated("the request has no credentials: send `Authorization: Bearer TOKEN`")
    scheme, _, token = authorization.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("the Authorization header must be `Bearer TOKEN`")
    if len(token) > MAX_TOKEN:
        raise Unauthenticated(f"the token is longer than {MAX_TOKEN} characters")
    return token


class _Claims(msgspec.Struct):
    exp: float | None = None


def expiry(token: str) -> float:
    """When a verified token expires, in seconds since 1970: `exp` of a JWT, and never without one.

    Only the issuer can tell of a token that is no JWT: such a token counts as expired.
    """
    parts = token.split(".")
    if len(parts) != 3:  # noqa: PLR2004 (header, claims and signature)
        return -math.inf
    try:
        claims = msgspec.json.decode(urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)), type=_Claims)
    except (ValueError, msgspec.MsgspecError, RecursionError):
        return -math.inf
    return math.inf if claims.exp is None else claims.exp
