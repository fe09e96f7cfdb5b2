"""The API server behind one narrow Protocol; the implementation sends plain dicts through `kubernetes.aio`.

Its typed models refuse unknown fields and its dynamic client writes a discovery cache to disk, so neither is used.
"""

import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, Protocol
from urllib.parse import urlencode

import aiohttp
import orjson
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.client.rest import RESTClientObject

from boardroom import __version__
from boardroom.api.meta import OPERATOR_MANAGER
from boardroom.kube.apply import APPLY_TYPE, apply_body
from boardroom.kube.kinds import Kind, Object

_PAGE = 200
_UNDECLARED = "field not declared in schema"
_UNASKED = "failed calling webhook"
CRDS_REMEDY = "install those of its version: kubectl apply --server-side -k crds"
RETRY_SECONDS: Final = 5.0
"""Until the API server is asked again for lists, schemas or our own pod; a reconcile has its queue's back-off."""
_USER_AGENT = f"boardroom-operator/{__version__}"


class KubeError(Exception):
    """The API server refused, or could not be reached (status 0). `retry_after` is what it asked for, in seconds."""

    def __init__(self, status: int, reason: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after


class NotFoundError(KubeError):
    """404: the object, its namespace or its kind does not exist."""


class ConflictError(KubeError):
    """409: another writer owns a field, the object exists already, or a precondition does not hold."""


class RefusedError(KubeError):
    """400, 403, 422: the same request will be refused again until somebody changes something."""


class NamespaceTerminatingError(RefusedError):
    """403: nothing can be created any more, because the namespace is being deleted."""


class WebhookError(KubeError):
    """500: an admission webhook of the cluster's could not be asked, and nothing goes without it."""


_BY_STATUS: Mapping[int, type[KubeError]] = {
    HTTPStatus.NOT_FOUND: NotFoundError,
    HTTPStatus.CONFLICT: ConflictError,
    HTTPStatus.BAD_REQUEST: RefusedError,
    HTTPStatus.FORBIDDEN: RefusedError,
    HTTPStatus.UNPROCESSABLE_ENTITY: RefusedError,
}


@dataclass(frozen=True, kw_only=True)
class Page:
    """Some of the objects of one kind as of a resource version, which is that of the whole list."""

    items: list[Object]
    resource_version: str


class Kube(Protocol):
    """What the controller needs of an API server. Every method may raise KubeError."""

    async def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """The object, or None where there is none."""

    def pages(self, kind: Kind, namespace: str | None, selector: str = "") -> AsyncIterator[Page]:
        """All objects of a kind in one namespace, or in all where `namespace` is None; at least one page."""

    async def apply(self, kind: Kind, manifest: Object, *, force: bool = True) -> Object:
        """Server-side apply under our field manager; without `force` another writer's field is a ConflictError."""

    async def apply_status(self, kind: Kind, manifest: Object, *, manager: str = OPERATOR_MANAGER) -> Object:
        """Server-side apply of `status`; the manifest carries all that the field manager owns there."""

    async def delete(self, kind: Kind, namespace: str, name: str, uid: str) -> None:
        """Delete that very object; one that is gone or was replaced is left alone."""

    async def create(self, kind: Kind, manifest: Object) -> Object:
        """Create an object under a name of its own."""


Observer = Callable[[str, Kind, int], None]
"""Called after each request with its verb, kind and HTTP status (0: not reached)."""


def _unobserved(verb: str, kind: Kind, status: int) -> None:
    """Observe nothing."""


class KubeClient:
    """Kube on a real API server."""

    def __init__(
        self, configuration: Configuration, *, observe: Observer = _unobserved, timeout_seconds: float = 30
    ) -> None:
        self._configuration = configuration
        self._rest = RESTClientObject(configuration)
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds, connect=10)
        self._observe = observe

    async def close(self) -> None:
        """Close the connections."""
        await self._rest.close()

    async def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        try:
            return await self._send("GET", kind, kind.path(namespace, name))
        except NotFoundError:
            return None

    async def pages(self, kind: Kind, namespace: str | None, selector: str = "") -> AsyncIterator[Page]:
        query: dict[str, str] = {"limit": str(_PAGE)}
        if selector:
            query["labelSelector"] = selector
        while True:
            page = await self._send("GET", kind, kind.path(namespace), query, verb="LIST")
            more = page["metadata"].get("continue")
            items = [_listed(kind, item) for item in page.get("items") or ()]
            yield Page(items=items, resource_version=page["metadata"].get("resourceVersion", ""))
            if not more:
                return
            query["continue"] = more

    async def apply(self, kind: Kind, manifest: Object, *, force: bool = True) -> Object:
        query = {"fieldManager": OPERATOR_MANAGER, "force": str(force).lower()}
        return await self._send("PATCH", kind, _path(kind, manifest), query, manifest, verb="APPLY")

    async def apply_status(self, kind: Kind, manifest: Object, *, manager: str = OPERATOR_MANAGER) -> Object:
        query = {"fieldManager": manager, "force": "true"}
        return await self._send("PATCH", kind, _path(kind, manifest, "status"), query, manifest, verb="APPLY_STATUS")

    async def delete(self, kind: Kind, namespace: str, name: str, uid: str) -> None:
        options = {"preconditions": {"uid": uid}, "propagationPolicy": "Background"}
        try:
            await self._send("DELETE", kind, kind.path(namespace, name), body=options)
        except (NotFoundError, ConflictError):
            return

    async def create(self, kind: Kind, manifest: Object) -> Object:
        query = {"fieldManager": OPERATOR_MANAGER}
        return await self._send("POST", kind, kind.path(manifest["metadata"]["namespace"]), query, manifest)

    async def schemas(self, kind: Kind) -> dict[str, Object]:
        """What the API server publishes of the kind's group and version, by name; whoever is authenticated may see."""
        page = await self._send("GET", kind, f"/openapi/v3/apis/{kind.api_version}")
        found: dict[str, Object] = page.get("components", {}).get("schemas", {})
        return found

    async def _send(
        self,
        method: str,
        kind: Kind,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
        *,
        verb: str | None = None,
    ) -> Object:
        data = apply_body(body) if body is not None and method == "PATCH" else body
        url = self._configuration.host + path + (f"?{urlencode(query)}" if query else "")
        status = 0
        try:
            response = await self._rest.request(
                method, url, headers=await self._headers(method), body=data, _request_timeout=self._timeout
            )
            status = response.status
            content = await response.read()
        except (aiohttp.ClientError, OSError, TimeoutError, ssl.SSLError) as error:
            raise KubeError(
                0, "Unreachable", f"the API server does not answer: {error or type(error).__name__}"
            ) from error
        finally:
            self._observe(verb or method, kind, status)
        if status >= HTTPStatus.BAD_REQUEST:
            raise _error(status, content, response.headers.get("Retry-After"))
        answer: Object = orjson.loads(content)
        return answer

    async def _headers(self, method: str) -> dict[str, str]:
        headers = {"Accept": "application/json", "User-Agent": _USER_AGENT}
        headers["Content-Type"] = APPLY_TYPE if method == "PATCH" else "application/json"
        bearer = (await self._configuration.auth_settings()).get("BearerToken")
        if bearer is not None and bearer["value"]:
            headers["Authorization"] = bearer["value"]
        return headers


def _listed(kind: Kind, item: Object) -> Object:
    """An item of a list with the apiVersion and kind that it lacks there, and without what weighs most of all."""
    item["metadata"].pop("managedFields", None)
    return item | {"apiVersion": kind.api_version, "kind": kind.name}


def _path(kind: Kind, manifest: Object, subresource: str | None = None) -> str:
    return kind.path(manifest["metadata"].get("namespace"), manifest["metadata"]["name"], subresource)


def _error(status: int, content: bytes, retry_after: str | None) -> KubeError:
    try:
        answer: Any = orjson.loads(content)
    except orjson.JSONDecodeError:
        answer = None
    details = answer if isinstance(answer, dict) else {}
    message = details.get("message") or content[:500].decode(errors="replace") or HTTPStatus(status).phrase
    if _UNDECLARED in message:
        message = f"{message}: the CRDs are older than the operator; {CRDS_REMEDY}"
    seconds = float(retry_after) if retry_after and retry_after.isdigit() else None
    causes = (details.get("details") or {}).get("causes") or ()
    if any(cause.get("reason") == "NamespaceTerminating" for cause in causes):
        return NamespaceTerminatingError(status, "NamespaceTerminating", message, seconds)
    if status == HTTPStatus.INTERNAL_SERVER_ERROR and _UNASKED in message:
        return WebhookError(status, "WebhookFailed", message, seconds)
    return _BY_STATUS.get(status, KubeError)(status, details.get("reason") or str(status), message, seconds)
