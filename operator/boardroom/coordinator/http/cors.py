"""CORS: which origins' pages may call the API from a browser, with which headers, and which of ours they may read."""

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
"""Headers that OpenAI's JavaScript client sends. The coordinator does not use them."""

READABLE: Final = ("retry-after", "www-authenticate", "x-request-id")


def cross_origin(app: ASGIApp, origins: Sequence[str]) -> ASGIApp:
    """Let pages of these origins call the application. A preflight needs no token, because browsers send none with it.
    CORS credentials (cookies) are not allowed, because the API uses none: a token is a plain header.
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
