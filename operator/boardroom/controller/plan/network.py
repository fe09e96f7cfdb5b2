"""NetworkPolicies: who may reach a board's pods, and what LoRAX may reach, if the network plugin enforces them."""

from typing import Final
from urllib.parse import urlsplit

from boardroom.api.lorax import LoraxSpec
from boardroom.api.meta import (
    ADAPTERS_PORT,
    COORDINATOR_METRICS_PORT,
    COORDINATOR_PORT,
    coordinator_name,
    lorax_name,
    selector,
)
from boardroom.controller.plan import coordinator, lorax
from boardroom.controller.plan.blueprint import Blueprint
from boardroom.kube.kinds import NETWORK_POLICY, Object

_DNS: Final = 53
_HTTPS: Final = 443
_ADDRESSES: Final = ("HF_ENDPOINT", "HTTPS_PROXY", "HTTP_PROXY")
"""Variables of spec.lorax.env that direct downloads to another server."""


def lorax_policy(blueprint: Blueprint) -> Object | None:
    """Ingress from the board's coordinator only, and egress for downloads only; None if there is no LoRAX.

    Unconfined paths (docs/lorax.md): LoRAX has no authentication, and a client may name any directory. The kubelet's
    probes come from the pod's own node, which no policy blocks.
    """
    if not blueprint.settings.enabled:
        return None
    asked_by = {"podSelector": {"matchLabels": selector(blueprint.name, coordinator.COMPONENT)}}
    return blueprint.manifest(
        NETWORK_POLICY,
        lorax_name(blueprint.name),
        lorax.COMPONENT,
        spec={
            "podSelector": {"matchLabels": selector(blueprint.name, lorax.COMPONENT)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [asked_by], "ports": [_tcp(blueprint.settings.port), _tcp(ADAPTERS_PORT)]}],
            "egress": _downloads(blueprint),
        },
    )


def coordinator_policy(blueprint: Blueprint) -> Object:
    """Ingress to the coordinator's ports, also in a namespace with a policy that denies by default."""
    return blueprint.manifest(
        NETWORK_POLICY,
        coordinator_name(blueprint.name),
        coordinator.COMPONENT,
        spec={
            "podSelector": {"matchLabels": selector(blueprint.name, coordinator.COMPONENT)},
            "policyTypes": ["Ingress"],
            "ingress": [{"ports": [_tcp(COORDINATOR_PORT), _tcp(COORDINATOR_METRICS_PORT)]}],
        },
    )


def _downloads(blueprint: Blueprint) -> list[Object]:
    """Egress to DNS, and to the ports of the model's hub, its mirror or proxy, and the adapters' servers; empty if
    nothing is downloaded.

    The sidecar shares the pod's network. A hub redirects to its storage, whose addresses no policy can list.
    """
    hub = {_HTTPS, *_ports(blueprint.spec.lorax)} if blueprint.spec.model.source == "Hub" else set()
    adapters = {source.port for source in blueprint.sources}
    ports = sorted(hub | adapters)
    if not ports:
        return []
    dns: list[Object] = [{"protocol": "UDP", "port": _DNS}, _tcp(_DNS)]
    return [{"ports": [*dns, *(_tcp(port) for port in ports)]}]


def _ports(spec: LoraxSpec) -> set[int]:
    return {
        port
        for variable in spec.env
        if variable.name.upper() in _ADDRESSES and (port := _port(variable.value or "")) is not None
    }


def _port(url: str) -> int | None:
    """The port of a URL; None if the text is no URL."""
    try:
        parts = urlsplit(url)
        return parts.port or {"http": 80, "https": _HTTPS}.get(parts.scheme)
    except ValueError:
        return None


def _tcp(port: int) -> Object:
    return {"protocol": "TCP", "port": port}
