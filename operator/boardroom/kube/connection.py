"""Connections: the API server's address and the client's identity, by a kubeconfig or this pod's ServiceAccount."""

import asyncio
import os
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config import load_incluster_config, load_kube_config
from kubernetes.aio.config.config_exception import ConfigException
from kubernetes.aio.config.kube_config import refresh_token


class ConnectionConfigError(Exception):
    """No API server is configured, or its configuration can't be read; the message names the remedy."""


class Connection:
    """The address of an API server and the client's credentials there.

    Tokens expire: a ServiceAccount's token is read again each minute, and an exec plugin runs again.
    """

    def __init__(self, configuration: Configuration, refresher: asyncio.Task[None] | None = None) -> None:
        self.configuration = configuration
        self._refresher = refresher
        # With trust_env, aiohttp reads the environment and ~/.netrc for each request, in two threads.
        configuration.client_session_kwargs = {"trust_env": False}
        configuration.proxy = configuration.proxy or _proxy(configuration.host)

    @classmethod
    async def open(cls, kubeconfig: Path | None = None, context: str | None = None) -> "Connection":
        """Connect by `kubeconfig` or KUBECONFIG, else by the pod's ServiceAccount, else by ~/.kube/config.

        Raises ConnectionConfigError.
        """
        configuration = Configuration()
        is_named = kubeconfig is not None or context is not None or bool(os.environ.get("KUBECONFIG"))
        if not is_named and os.environ.get("KUBERNETES_SERVICE_HOST"):
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

    async def close(self) -> None:
        """Stop refreshing the token."""
        if self._refresher is not None:
            self._refresher.cancel()
            await asyncio.gather(self._refresher, return_exceptions=True)


def _proxy(server: str) -> str | None:
    """The proxy that the environment names for this URL, if any."""
    url = urlsplit(server)
    return None if proxy_bypass(url.netloc) else getproxies().get(url.scheme)
