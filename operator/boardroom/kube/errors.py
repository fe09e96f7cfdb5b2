"""Errors of an API server: one exception class for each case that callers handle differently."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import orjson

CRDS_REMEDY: Final = "install those of its version: kubectl apply --server-side -k crds"
_UNDECLARED: Final = "field not declared in schema"
_WEBHOOK: Final = "failed calling webhook"
_UNAUTHORIZED: Final = (
    "the token dies with its ServiceAccount: the operator replaces a coordinator's pod; else delete it"
)


class KubeError(Exception):
    """The API server refused with an HTTP status, or could not be reached (status 0).

    `retry_after` is the Retry-After of its response, in seconds.
    """

    def __init__(self, status: int, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class NotFoundError(KubeError):
    """404: the object, its namespace or its kind does not exist."""


class ConflictError(KubeError):
    """409: another manager owns a field, the object exists already, or a precondition does not hold."""


class ExpiredError(KubeError):
    """410: the resource version is too old to list or watch from."""


class RefusedError(KubeError):
    """400, 403, 422: the API server refuses the same request again until a user changes something."""


class NamespaceTerminatingError(RefusedError):
    """403: nothing can be created in a namespace that is being deleted."""


class WebhookError(KubeError):
    """500: an admission webhook does not answer, and the API server takes nothing without it."""


_BY_STATUS: Final[Mapping[int, type[KubeError]]] = {
    HTTPStatus.NOT_FOUND: NotFoundError,
    HTTPStatus.CONFLICT: ConflictError,
    HTTPStatus.GONE: ExpiredError,
    HTTPStatus.BAD_REQUEST: RefusedError,
    HTTPStatus.FORBIDDEN: RefusedError,
    HTTPStatus.UNPROCESSABLE_ENTITY: RefusedError,
}


def error_of(status: int, message: str, retry_after: float | None = None) -> KubeError:
    """The error for an HTTP status."""
    return _BY_STATUS.get(status, KubeError)(status, message, retry_after)


def response_error(status: int, content: bytes, retry_after: str | None) -> KubeError:
    """The error for a response of 400 or more; its body is a Status object, or whatever a proxy writes."""
    try:
        body: Any = orjson.loads(content)
    except orjson.JSONDecodeError:
        body = None
    details = body if isinstance(body, dict) else {}
    message = details.get("message") or content[:500].decode(errors="replace") or _phrase(status)
    seconds = float(retry_after) if retry_after and retry_after.isdigit() else None
    causes = (details.get("details") or {}).get("causes") or ()
    if any(cause.get("reason") == "NamespaceTerminating" for cause in causes):
        return NamespaceTerminatingError(status, message, seconds)
    if status == HTTPStatus.INTERNAL_SERVER_ERROR and _WEBHOOK in message:
        return WebhookError(status, message, seconds)
    if _UNDECLARED in message:
        message = f"{message}: the CRDs are older than the operator; {CRDS_REMEDY}"
    if status == HTTPStatus.UNAUTHORIZED:
        message = f"{message} ({_UNAUTHORIZED})"
    return error_of(status, message, seconds)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"HTTP {status}"
