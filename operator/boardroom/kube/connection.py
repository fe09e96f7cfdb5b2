"""Where the API server is and who we are there: the service account in a pod, a kubeconfig outside."""

import asyncio
import os
from collections.abc import Callable, Container
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import kopf
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config import load_incluster_config, load_kube_config
from kubernetes.aio.config.config_exception import ConfigException
from kubernetes.aio.config.kube_config import refresh_token

_TOKEN_LIFETIME = timedelta(minutes=5)
_KOPFS_OWN = (HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS)
"""Refusals that Kopf handles: it logs in again, or waits as long as it is told to."""


class ConnectionConfigError(Exception):
    """No way to an API server was found; the message says what was looked for."""


class Connection:
    """One identity at one API server, for our own client and for Kopf alike."""

    def __init__(self, configuration: Configuration, refresher: asyncio.Task[None] | None = None) -> None:
        self.configuration = configuration
        self._refresher = refresher
        # aiohttp would look into the environment and into ~/.netrc for each request, in two threads.
        configuration.client_session_kwargs = {"trust_env": False}
        configuration.proxy = configuration.proxy or _proxy(configuration.host)

    @classmethod
    async def open(cls, kubeconfig: Path | None = None, context: str | None = None) -> "Connection":
        """Use `kubeconfig` where one is given, else the pod's service account, else the user's own kubeconfig."""
        configuration = Configuration()
        if kubeconfig is None and context is None and os.environ.get("KUBERNETES_SERVICE_HOST"):
            try:
                load_incluster_config(client_configuration=configuration)
            except ConfigException as error:
                raise ConnectionConfigError(f"service account of this pod: {error}") from error
            return cls(configuration)
        try:
            loader = await load_kube_config(
                config_file=str(kubeconfig) if kubeconfig else None,
                context=context,
                client_configuration=configuration,
                persist_config=False,
            )
        except (ConfigException, OSError) as error:
            raise ConnectionConfigError(
                f"kubeconfig: {error}; give --kubeconfig, set KUBECONFIG, or run inside a cluster"
            ) from error
        # Returns at once unless the kubeconfig's user is an exec plugin, whose tokens expire.
        refreshing = refresh_token(loader, configuration)
        return cls(configuration, asyncio.create_task(refreshing))

    async def login(self, listed: Callable[[str], None], watched: Container[str]) -> kopf.AiohttpSession:
        """The same identity for Kopf; a token is asked for again before it can expire.

        `listed` hears the path of each list that Kopf gets, before Kopf passes on what is in it, and the path of each
        collection that is not there. `watched` are the paths that Kopf is to list and watch for ever.
        """
        configuration = self.configuration
        bearer = (await configuration.auth_settings()).get("BearerToken", {}).get("value")
        scheme, token = bearer.split(" ", 1) if bearer else (None, None)
        found = kopf.ConnectionInfo(
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
            connector=aiohttp.TCPConnector(limit=0, ssl=found.as_ssl_context()),
            headers=found.as_http_headers(),
            proxy=configuration.proxy,
            middlewares=[_hearing(configuration.host, listed, watched)],
        )
        expiration = datetime.now(UTC) + _TOKEN_LIFETIME if token else None
        return kopf.AiohttpSession(server=configuration.host, aiohttp_session=session, expiration=expiration)

    async def close(self) -> None:
        """Stop refreshing."""
        if self._refresher is not None:
            self._refresher.cancel()
            await asyncio.gather(self._refresher, return_exceptions=True)


def _proxy(server: str) -> str | None:
    """The proxy by which the environment has this URL reached, if any."""
    url = urlsplit(server)
    return None if proxy_bypass(url.netloc) else getproxies().get(url.scheme)


def _hearing(server: str, listed: Callable[[str], None], watched: Container[str]) -> aiohttp.ClientMiddlewareType:
    """Kopf tells its handlers of what is there, and not that it has listed: an empty list would go unheard.

    Kopf gives up where a collection that it watches is refused for long, or is gone because its CRD was deleted, and
    then it hangs. An API server that can't be reached it tries for ever, so such an answer is passed on as that.
    """
    root = urlsplit(server).path.rstrip("/")

    async def hear(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        response = await handler(request)
        path = request.url.path.removeprefix(root)
        of_list = request.method == "GET" and not {"watch", "continue"} & request.url.query.keys()
        if (response.ok and of_list) or (path in watched and response.status == HTTPStatus.NOT_FOUND):
            listed(path)
        if path in watched and not response.ok and response.status not in _KOPFS_OWN:
            response.release()
            raise aiohttp.ClientConnectionError(f"HTTP {response.status}")
        return response

    return hear
