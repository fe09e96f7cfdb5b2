"""Kopf's session to the API server, which reports Kopf's lists and keeps Kopf from giving up."""

from collections.abc import Callable, Container
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import aiohttp
import kopf
from kubernetes.aio.client.configuration import Configuration

_TOKEN_LIFETIME: Final = timedelta(minutes=5)
_HANDLED_BY_KOPF: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS)
"""Refusals after which Kopf logs in again, or waits as long as the API server says."""


async def login(
    configuration: Configuration, listed: Callable[[str], None], watched: Container[str]
) -> kopf.AiohttpSession:
    """A session for Kopf by the identity of our own client; Kopf asks for a new one before a token can expire.

    `listed` is called with the path of each list, before Kopf passes on its items, and with the path of each collection
    that does not exist. `watched` are the paths that Kopf lists and watches for ever.
    """
    bearer = (await configuration.auth_settings()).get("BearerToken", {}).get("value")
    scheme, token = bearer.split(" ", 1) if bearer else (None, None)
    info = kopf.ConnectionInfo(
        server=configuration.host,
        ca_path=configuration.ssl_ca_cert,
        ca_data=configuration.ca_cert_data,
        insecure=not configuration.verify_ssl,
        scheme=scheme.capitalize() if scheme else None,
        token=token,
        certificate_path=configuration.cert_file,
        private_key_path=configuration.key_file,
    )
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=info.as_ssl_context()),
        headers=info.as_http_headers(),
        proxy=configuration.proxy,
        middlewares=[_middleware(configuration.host, listed, watched)],
    )
    expiration = datetime.now(UTC) + _TOKEN_LIFETIME if token else None
    return kopf.AiohttpSession(server=configuration.host, aiohttp_session=session, expiration=expiration)


def _middleware(server: str, listed: Callable[[str], None], watched: Container[str]) -> aiohttp.ClientMiddlewareType:
    """Reports lists, and keeps Kopf from giving up.

    Kopf calls handlers for objects and not for lists, so that an empty list would go unnoticed. Kopf hangs after a
    watched collection was refused for long, or is gone because its CRD was deleted; it retries for ever if the API
    server can't be reached, so a refusal is passed on as that.
    """
    root = urlsplit(server).path.rstrip("/")

    async def handle(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        response = await handler(request)
        path = request.url.path.removeprefix(root)
        of_list = request.method == "GET" and not {"watch", "continue"} & request.url.query.keys()
        if (response.ok and of_list) or (path in watched and response.status == HTTPStatus.NOT_FOUND):
            listed(path)
        if path in watched and not response.ok and response.status not in _HANDLED_BY_KOPF:
            response.release()
            raise aiohttp.ClientConnectionError(f"HTTP {response.status}")
        return response

    return handle
