"""The addresses of one native node: a small network of its own, distinguished from other nodes by a number."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

API_PORT = 6443
_NUMBERS = 64
_LOOPBACK = ipaddress.ip_network("127.0.0.0/8")


@dataclass(frozen=True)
class Addresses:
    """Every network of node number `number` (0 to 63)."""

    number: int

    @property
    def host_interface(self) -> str:
        """The host's end of the link to the node, our only interface on the host."""
        return f"boardroom{self.number}"

    @property
    def link(self) -> str:
        return f"10.200.{self.number}.0/30"

    @property
    def host(self) -> str:
        return f"10.200.{self.number}.1"

    @property
    def node(self) -> str:
        """The node's own address: of the API server, of the kubelet and of the cluster's DNS."""
        return f"10.200.{self.number}.2"

    @property
    def pods(self) -> str:
        return f"10.244.{self.number}.0/24"

    @property
    def services(self) -> str:
        return f"10.{96 + self.number}.0.0/16"

    def networks(self) -> list[str]:
        """Return all networks that the host must not route before the node starts."""
        return [self.link, self.pods, self.services]


def choose(routed: Iterable[str]) -> Addresses:
    """Return the first addresses that overlap no network that the host routes (`default` is ignored)."""
    known = [ipaddress.ip_network(network, strict=False) for network in routed if network != "default"]
    for number in range(_NUMBERS):
        candidate = Addresses(number)
        ours = [ipaddress.ip_network(network) for network in candidate.networks()]
        if not any(mine.overlaps(theirs) for mine in ours for theirs in known if theirs.version == mine.version):
            return candidate
    raise LookupError("every network that a node could use is routed elsewhere on this machine: see `ip route`")


def upstream_dns(resolv_confs: Sequence[str]) -> list[str]:
    """Return the name servers of the first resolv.conf that names one which can be reached from another network.

    A stub on loopback (systemd-resolved's 127.0.0.53) answers only on the host itself.
    """
    for text in resolv_confs:
        named = re.findall(r"^\s*nameserver\s+([0-9.]+)\s*$", text, re.MULTILINE)
        reachable = [server for server in named if ipaddress.ip_address(server) not in _LOOPBACK]
        if reachable:
            return reachable
    return []
