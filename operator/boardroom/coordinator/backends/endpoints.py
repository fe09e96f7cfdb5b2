"""The endpoints of a board's LoRAX servers: a fixed address, or the pods behind a Service as they come and go."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from boardroom.coordinator.changes import Changes
from boardroom.kube.kinds import ENDPOINT_SLICE
from boardroom.kube.protocol import Kube, Selection
from boardroom.kube.reflector import Reflector

LORAX: Final = "lorax"
ADAPTERS: Final = "adapters"
"""Names of the Service's ports."""


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """The endpoint of a LoRAX server. `key` is the same for every coordinator, and no other pod ever has it."""

    key: str
    name: str
    url: str
    adapters_url: str | None = None
    leaving: bool = False


class Endpoints(Protocol):
    """The servers that are found; `found` is None until they are known. Notifies of others."""

    found: tuple[Endpoint, ...] | None

    async def run(self) -> None:
        """Keep `found` up to date, for ever."""


class GivenEndpoint:
    """A single server with a fixed address."""

    def __init__(self, url: str, adapters_url: str | None = None) -> None:
        name = urlsplit(url).netloc or url
        self.found: tuple[Endpoint, ...] | None = (Endpoint(key=url, name=name, url=url, adapters_url=adapters_url),)

    async def run(self) -> None:
        await asyncio.Event().wait()


class ServiceEndpoints:
    """The pods behind a Service of one namespace, by a watch on its EndpointSlices."""

    def __init__(self, kube: Kube, namespace: str, service: str, changes: Changes) -> None:
        self.found: tuple[Endpoint, ...] | None = None
        self._changes = changes
        self._slices = slices(kube, namespace, service, self._changed)

    async def run(self) -> None:
        await self._slices.run()

    def _changed(self) -> None:
        found = endpoints(self._slices.objects.values())
        if found != self.found:
            self.found = found
            self._changes.notify()


def slices(kube: Kube, namespace: str, service: str, on_change: Callable[[], None]) -> Reflector:
    """A reflector of the EndpointSlices of a Service."""
    selection = Selection(namespace=namespace, labels=f"kubernetes.io/service-name={service}")
    return Reflector(kube, ENDPOINT_SLICE, selection, on_change)


def endpoints(slices_: Iterable[Mapping[str, Any]]) -> tuple[Endpoint, ...]:
    """The servers in EndpointSlices, sorted by name; a pod with addresses of both families counts once, by IPv4."""
    servers: dict[str, Endpoint] = {}
    for piece in sorted(slices_, key=lambda s: (s.get("addressType", ""), s["metadata"]["name"])):
        ports = {p.get("name"): p.get("port") for p in piece.get("ports") or ()}
        if piece.get("addressType") not in ("IPv4", "IPv6") or not ports.get(LORAX):
            continue
        for live in piece.get("endpoints") or ():
            server = _endpoint(live, ports)
            pod = (live.get("targetRef") or {}).get("uid") or server.key
            servers.setdefault(pod, server)
    return tuple(sorted(servers.values(), key=lambda s: (s.name, s.key)))


def addresses(slices_: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """Every address in EndpointSlices."""
    live = [endpoint for piece in slices_ for endpoint in piece.get("endpoints") or ()]
    return frozenset(address for endpoint in live for address in endpoint.get("addresses") or ())


def _endpoint(live: Mapping[str, Any], ports: Mapping[Any, Any]) -> Endpoint:
    address = live["addresses"][0]  # the API server takes no endpoint without one
    target = live.get("targetRef") or {}
    host = f"[{address}]" if ":" in address else address
    return Endpoint(
        key=f"{target.get('uid', '')}@{host}:{ports[LORAX]}",  # a pod whose sandbox is made anew keeps its uid
        name=target.get("name") or host,
        url=f"http://{host}:{ports[LORAX]}",
        adapters_url=f"http://{host}:{ports[ADAPTERS]}" if ports.get(ADAPTERS) else None,
        leaving=bool((live.get("conditions") or {}).get("terminating")),
    )
