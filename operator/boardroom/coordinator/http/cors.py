"""Browsers' pages of other origins (CORS): which may ask, with which headers, and which of ours they may read."""

from collections.abc import Sequence
from typing import Final

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

METHODS: Final = ("GET", "POST", "DELETE")
HEADERS: Final = ("authorization", "content-type", "traceparent", "tracestate", "x-request-id")
OPENAI_HEADERS: Final = (
    "openai-organization",
    "openai-project",
    "x-stainless-arch",
    "x-stainless-helper-method",
    "x-stainless-lang",
    "x-stainless-os",
    "x-stainless-package-version",
    "x-stainless-retry-count",
    "x-stainless-runtime",
    "x-stainless-runtime-version",
    "x-stainless-timeout",
)
"""What OpenAI's client for JavaScript sends; nothing is made of them here."""

READABLE: Final = ("retry-after", "www-authenticate", "x-request-id")


def cross_origin(app: ASGIApp, origins: Sequence[str]) -> ASGIApp:
    """The application for pages of these origins too. A preflight is answered before anybody is asked who he is, as
    browsers send no token with it. Credentials in CORS's sense (cookies) are not allowed, because there are none: a
    token is a header like others.
    """
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=METHODS,
        allow_headers=(*HEADERS, *OPENAI_HEADERS),
        expose_headers=READABLE,
    )
