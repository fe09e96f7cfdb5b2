"""The bearer token of a request, and the two things that can be found of it."""

from typing import Final, Protocol

from boardroom.coordinator.problems import Unauthenticated

MAX_TOKEN: Final = 16_384
"""Characters; tokens of identity providers with many groups reach some thousand."""


class Authenticator(Protocol):
    """Decides on each request, before its body is read."""

    async def caller(self, authorization: str | None) -> str:
        """The name of who asks, for the log; raises Unauthenticated, Forbidden and AuthUnavailable."""

    async def problem(self) -> str:
        """Why nobody at all can be let in, and the remedy; empty where all is well."""


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
