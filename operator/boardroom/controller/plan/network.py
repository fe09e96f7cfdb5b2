"""Who may reach a board's pods, and what LoRAX may reach; a network plugin that knows no policies lets all through."""

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
"""Variables by which spec.lorax.env may send downloads elsewhere."""


def lorax_policy(blueprint: Blueprint) -> Object | None:
    """LoRAX answers its own coordinator only, and goes nowhere unless it must download; None where there is no LoRAX.

    Its paths are not confined and it has no authentication (LORAX.md): whoever reaches it can name any directory. The
    kubelet's probes come from the pod's own node, which no policy shuts out.
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
    """The coordinator takes questions and shows its metrics, also in a namespace that is shut by default."""
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
    """Names, and the ports of a model's hub, of a mirror or proxy that the board names, and of the adapters' servers;
    nothing where there is nothing to download.

    The sidecar shares the pod's network. A hub sends on to its storage, whose address no policy can know beforehand.
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
    """The port of a URL, or None of a text that is none."""
    try:
        parts = urlsplit(url)
        return parts.port or {"http": 80, "https": _HTTPS}.get(parts.scheme)
    except ValueError:
        return None


def _tcp(port: int) -> Object:
    return {"protocol": "TCP", "port": port}
