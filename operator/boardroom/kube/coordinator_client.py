"""The few calls to the API server that a coordinator makes, with plain dicts over kubernetes.aio."""

import os
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final, Protocol

import aiohttp
import orjson
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.client.exceptions import ApiException

from boardroom import __version__
from boardroom.api.meta import API_VERSION, COORDINATOR_MANAGER
from boardroom.kube.apply import APPLY_TYPE, apply_body
from boardroom.kube.lease import LEASE_API_VERSION

WATCH_SECONDS: Final = 290
"""The API server ends a watch after this; it is then resumed."""

_TIMEOUT: Final = aiohttp.ClientTimeout(total=30, sock_connect=5)
_WATCH_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=WATCH_SECONDS + 30)
_FAILURE: Final = 400
_NOT_FOUND: Final = 404
_UNAUTHORIZED: Final = 401
_REPLACED: Final = "it dies with its ServiceAccount, and the operator then replaces the pod; else delete the pod"

Query = Sequence[tuple[str, str]]


class KubeError(Exception):
    """The API server refused, or can't be reached (status 0). `retry_after` is in seconds."""

    def __init__(self, status: int, message: str, retry_after: float | None = None) -> None:
        super().__init__(f"{status}: {message}" if status else message)
        self.status = status
        self.retry_after = retry_after


class Kube(Protocol):
    """What the live roster and the health writer need; every method raises only KubeError."""

    async def list(self, path: str, query: Query) -> dict[str, Any]:
        """A list object."""

    def watch(self, path: str, query: Query) -> AsyncIterator[dict[str, Any]]:
        """Watch events, until the server ends the watch."""

    async def get(self, path: str) -> dict[str, Any] | None:
        """The object, or None where there is none."""

    async def apply(self, path: str, body: dict[str, Any]) -> None:
        """Server-side apply under the coordinator's field manager."""

    async def apply_status(self, path: str, body: dict[str, Any]) -> None:
        """Server-side apply to /status under the coordinator's field manager."""

    async def create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Create an object; returns what the API server made of it."""

    async def close(self) -> None:
        """Close every connection."""


def collection(namespace: str, plural: str) -> str:
    """The path of our objects of one kind in one namespace."""
    return f"/apis/{API_VERSION}/namespaces/{namespace}/{plural}"


def leases(namespace: str) -> str:
    """The path of the Leases of one namespace."""
    return f"/apis/{LEASE_API_VERSION}/namespaces/{namespace}/leases"


def events(namespace: str) -> str:
    """The path of the events of one namespace."""
    return f"/api/v1/namespaces/{namespace}/events"


class KubeClient:
    """Kube over HTTP."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        client.user_agent = f"boardroom-coordinator/{__version__}"

    @classmethod
    async def connect(cls) -> "KubeClient":
        """By the pod's service account, else by KUBECONFIG or ~/.kube/config; raises KubeError."""
        configuration = Configuration()
        try:
            if os.environ.get("KUBERNETES_SERVICE_HOST") and not os.environ.get("KUBECONFIG"):
                config.load_incluster_config(client_configuration=configuration)
            else:
                await config.load_kube_config(client_configuration=configuration, persist_config=False)
        except (config.ConfigException, OSError) as error:
            raise KubeError(0, f"no way to the API server: {error}") from error
        return cls(ApiClient(configuration))

    async def list(self, path: str, query: Query) -> dict[str, Any]:
        return await _object(path, await self._send("GET", path, query))

    async def watch(self, path: str, query: Query) -> AsyncIterator[dict[str, Any]]:
        asked = [*query, ("watch", "true"), ("allowWatchBookmarks", "true"), ("timeoutSeconds", str(WATCH_SECONDS))]
        response = await self._send("GET", path, asked, _WATCH_TIMEOUT)
        rest = b""
        try:
            async for chunk in response.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    if line:
                        yield orjson.loads(line)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise KubeError(0, f"{path}: {type(error).__name__}: {error}") from error
        finally:
            response.close()

    async def get(self, path: str) -> dict[str, Any] | None:
        try:
            return await _object(path, await self._send("GET", path, []))
        except KubeError as error:
            if error.status == _NOT_FOUND:
                return None
            raise

    async def apply(self, path: str, body: dict[str, Any]) -> None:
        query = [("fieldManager", COORDINATOR_MANAGER), ("force", "true")]
        response = await self._send("PATCH", path, query, body=apply_body(body), content_type=APPLY_TYPE)
        response.release()

    async def apply_status(self, path: str, body: dict[str, Any]) -> None:
        await self.apply(f"{path}/status", body)

    async def create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return await _object(path, await self._send("POST", path, [], body=body))

    async def close(self) -> None:
        await self._client.close()

    async def _send(
        self,
        method: str,
        path: str,
        query: Query,
        timeout: aiohttp.ClientTimeout = _TIMEOUT,
        *,
        body: dict[str, Any] | bytes | None = None,
        content_type: str = "application/json",
    ) -> aiohttp.ClientResponse:
        try:
            method, url, headers, data, _ = await self._client.param_serialize(
                method,
                path,
                query_params=list(query),
                header_params={"Accept": "application/json", "Content-Type": content_type},
                body=body,
                auth_settings=["BearerToken"],
            )
            answer = await self._client.call_api(method, url, headers, data, _request_timeout=timeout)
        except (aiohttp.ClientError, TimeoutError, OSError, ApiException, config.ConfigException) as error:
            raise KubeError(0, f"{path}: {type(error).__name__}: {error}") from error
        response: aiohttp.ClientResponse = answer.response
        if response.status >= _FAILURE:
            raise await _refusal(response)
        return response


async def _object(path: str, response: aiohttp.ClientResponse) -> dict[str, Any]:
    try:
        found: dict[str, Any] = orjson.loads(await response.read())
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise KubeError(0, f"{path}: {type(error).__name__}: {error}") from error
    return found


async def _refusal(response: aiohttp.ClientResponse) -> KubeError:
    """The API server's Status object as an error."""
    try:
        message = str(orjson.loads(await response.read()).get("message", response.reason))
    except (aiohttp.ClientError, TimeoutError, ValueError, AttributeError):
        message = response.reason or "no reason given"
    if response.status == _UNAUTHORIZED:
        message = f"{message} (the coordinator's own token: {_REPLACED})"
    after = response.headers.get("retry-after", "")
    return KubeError(response.status, message, float(after) if after.isdigit() else None)
