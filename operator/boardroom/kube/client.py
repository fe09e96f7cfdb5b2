"""The client of a real API server: plain dicts over the HTTP transport of `kubernetes.aio`.

Only its RESTClientObject is used, which has TLS, proxies and the connection pool. Its typed models refuse unknown
fields, its dynamic client writes a discovery cache to disk, and its ApiClient adds nothing that plain dicts need.
"""

import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

import aiohttp
import orjson
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.client.rest import RESTClientObject
from kubernetes.aio.config.config_exception import ConfigException

from boardroom import __version__
from boardroom.kube.apply import APPLY_TYPE, apply_body
from boardroom.kube.errors import ConflictError, KubeError, NotFoundError, response_error
from boardroom.kube.kinds import Kind, Object
from boardroom.kube.protocol import Page, Selection

RETRY_SECONDS: Final = 5.0
"""Between two tries of a request that must succeed; a reconcile has its queue's back-off."""
WATCH_SECONDS: Final = 290
"""After so long the API server ends a watch, which is then resumed."""
_PAGE: Final = 200
_CONNECT_SECONDS: Final = 5
_WATCH_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS, sock_read=WATCH_SECONDS + 30)

Observer = Callable[[str, Kind, int], None]
"""Called after each request with its verb, kind and HTTP status (0: not reached)."""


def _unobserved(verb: str, kind: Kind, status: int) -> None:
    """Observe nothing."""


class KubeClient:
    """Implements Kube. `manager` is the field manager of what it writes, and its name in the user agent."""

    def __init__(
        self,
        configuration: Configuration,
        manager: str,
        *,
        observe: Observer = _unobserved,
        timeout_seconds: float = 30,
    ) -> None:
        self._configuration = configuration
        self._manager = manager
        self._rest = RESTClientObject(configuration)
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds, sock_connect=_CONNECT_SECONDS)
        self._observe = observe

    async def close(self) -> None:
        """Close the connections."""
        await self._rest.close()

    async def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        try:
            return await self._send("GET", kind, kind.path(namespace, name))
        except NotFoundError:
            return None

    async def pages(self, kind: Kind, selection: Selection) -> AsyncIterator[Page]:
        query = {"limit": str(_PAGE)} | _selectors(selection)
        while True:
            page = await self._send("GET", kind, kind.path(selection.namespace), query, verb="LIST")
            items = [_listed(kind, item) for item in page.get("items") or ()]
            yield Page(items=items, resource_version=page["metadata"].get("resourceVersion", ""))
            token = page["metadata"].get("continue")
            if not token:
                return
            query["continue"] = token

    async def watch(self, kind: Kind, selection: Selection, resource_version: str) -> AsyncIterator[Object]:
        query = _selectors(selection) | {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_SECONDS),
            "resourceVersion": resource_version,
        }
        path = kind.path(selection.namespace)
        response = await self._request("GET", kind, path, query, verb="WATCH", timeout=_WATCH_TIMEOUT)
        rest = b""
        try:
            async for chunk in response.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    if line:
                        yield orjson.loads(line)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise _unreachable(error) from error
        finally:
            response.close()

    async def apply(self, kind: Kind, manifest: Object, *, force: bool = True) -> Object:
        query = {"fieldManager": self._manager, "force": str(force).lower()}
        return await self._send("PATCH", kind, _path(kind, manifest), query, manifest, verb="APPLY")

    async def apply_status(self, kind: Kind, manifest: Object, *, manager: str | None = None) -> Object:
        query = {"fieldManager": manager or self._manager, "force": "true"}
        return await self._send("PATCH", kind, _path(kind, manifest, "status"), query, manifest, verb="APPLY_STATUS")

    async def delete(self, kind: Kind, namespace: str, name: str, uid: str) -> None:
        options = {"preconditions": {"uid": uid}, "propagationPolicy": "Background"}
        try:
            await self._send("DELETE", kind, kind.path(namespace, name), body=options)
        except (NotFoundError, ConflictError):
            return

    async def create(self, kind: Kind, manifest: Object) -> Object:
        path = kind.path(manifest.get("metadata", {}).get("namespace"))
        return await self._send("POST", kind, path, {"fieldManager": self._manager}, manifest)

    async def schemas(self, kind: Kind) -> dict[str, Object]:
        """The OpenAPI schemas of the kind's group and version by name; every authenticated client may read them."""
        page = await self._send("GET", kind, f"/openapi/v3/apis/{kind.api_version}")
        schemas: dict[str, Object] = page.get("components", {}).get("schemas", {})
        return schemas

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
        """The object of the response."""
        response = await self._request(method, kind, path, query, body, verb=verb)
        try:
            obj: Object = orjson.loads(await response.read())
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise _unreachable(error) from error
        return obj

    async def _request(
        self,
        method: str,
        kind: Kind,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
        *,
        verb: str | None = None,
        timeout: aiohttp.ClientTimeout | None = None,
    ) -> aiohttp.ClientResponse:
        """The response, whose body is not read yet; an error's is."""
        data = apply_body(body) if body is not None and method == "PATCH" else body
        url = self._configuration.host + path + (f"?{urlencode(query)}" if query else "")
        status, content = 0, b""
        try:
            answer = await self._rest.request(
                method, url, headers=await self._headers(method), body=data, _request_timeout=timeout or self._timeout
            )
            response: aiohttp.ClientResponse = answer.response
            status = response.status
            if status >= HTTPStatus.BAD_REQUEST:
                content = await response.read()
        except (aiohttp.ClientError, OSError, TimeoutError, ssl.SSLError, ConfigException) as error:
            raise _unreachable(error) from error
        finally:
            self._observe(verb or method, kind, status)
        if status >= HTTPStatus.BAD_REQUEST:
            raise response_error(status, content, response.headers.get("Retry-After"))
        return response

    async def _headers(self, method: str) -> dict[str, str]:
        """The headers of a request; a token that was rotated is read again here."""
        headers = {"Accept": "application/json", "User-Agent": f"{self._manager}/{__version__}"}
        headers["Content-Type"] = APPLY_TYPE if method == "PATCH" else "application/json"
        bearer = (await self._configuration.auth_settings()).get("BearerToken")
        if bearer is not None and bearer["value"]:
            headers["Authorization"] = bearer["value"]
        return headers


def _selectors(selection: Selection) -> dict[str, str]:
    selectors = {"labelSelector": selection.labels, "fieldSelector": selection.fields}
    return {name: selector for name, selector in selectors.items() if selector}


def _listed(kind: Kind, item: Object) -> Object:
    """An item of a list with the apiVersion and kind that it lacks there, and without its largest part, never read."""
    item["metadata"].pop("managedFields", None)
    return item | {"apiVersion": kind.api_version, "kind": kind.name}


def _path(kind: Kind, manifest: Object, subresource: str | None = None) -> str:
    return kind.path(manifest["metadata"].get("namespace"), manifest["metadata"]["name"], subresource)


def _unreachable(error: Exception) -> KubeError:
    return KubeError(0, f"the API server does not answer: {str(error) or type(error).__name__}")
