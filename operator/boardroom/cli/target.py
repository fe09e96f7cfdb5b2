"""Where a command for people finds its board: a coordinator's URL, or the cluster that kubectl speaks to."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce, wraps
from typing import Any

import click
import httpx

from boardroom.api.meta import COORDINATOR_PORT, coordinator_name
from boardroom.cli.kubectl import Kubectl

CONNECT_TIMEOUT = 10.0
"""Seconds to reach a coordinator; the question itself has its own deadline."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """One board."""

    url: str | None
    kubectl: Kubectl

    @contextmanager
    def coordinator(self, board: str) -> Iterator[httpx.Client]:
        """An HTTP client of the board's coordinator."""
        if self.url:
            yield from self._client(self.url)
            return
        with self.kubectl.port_forward(f"service/{coordinator_name(board)}", COORDINATOR_PORT) as url:
            yield from self._client(url)

    @staticmethod
    def _client(url: str) -> Iterator[httpx.Client]:
        timeout = httpx.Timeout(None, connect=CONNECT_TIMEOUT)
        with httpx.Client(base_url=url, timeout=timeout, trust_env=False) as client:
            try:
                yield client
            except httpx.TransportError as error:
                raise click.ClickException(f"no coordinator answers at {url}: {error}") from error


_OPTIONS = (
    click.option("--url", envvar="BOARDROOM_URL", help="URL of a coordinator; without it kubectl's cluster is used."),
    click.option("-n", "--namespace", help="Namespace of the board."),
    click.option("--context", help="Context of the kubeconfig."),
    click.option("--kubeconfig", type=click.Path(), help="Kubeconfig file."),
)


def target_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The flags that say where the board is, as one argument `target`."""

    @wraps(command)
    def with_target(
        *, url: str | None, namespace: str | None, context: str | None, kubeconfig: str | None, **rest: Any
    ) -> Any:
        kubectl = Kubectl(namespace=namespace, context=context, kubeconfig=kubeconfig)
        return command(target=Target(url=url, kubectl=kubectl), **rest)

    return reduce(lambda inner, option: option(inner), reversed(_OPTIONS), with_target)
