"""The command lines of the control plane's parts."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_ISSUER = "https://kubernetes.default.svc"
# One node, no cloud: these controllers would only wait.
_CONTROLLERS = "*,-node-ipam-controller,-node-route-controller,-cloud-node-lifecycle-controller"


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """The API server's address, and its range of Service addresses."""

    address: str = "127.0.0.1"
    port: int | None = None
    """None: the system picks a free one."""
    services: str = "10.96.0.0/16"

    @property
    def reachable_from_pods(self) -> bool:
        """Whether the Service `kubernetes` may use this address: a pod has its own loopback."""
        return not ipaddress.ip_address(self.address).is_loopback

    def hosts(self) -> list[str]:
        """Return every name and address that callers may use, for the serving certificate."""
        service = str(ipaddress.ip_network(self.services)[1])
        names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"]
        return ["localhost", *names, *dict.fromkeys(("127.0.0.1", self.address)), service]


@dataclass(frozen=True)
class Ports:
    """The TCP ports of one control plane."""

    api: int
    etcd: int
    peer: int


def etcd(directory: Path, ports: Ports) -> list[str]:
    """Return etcd's flags. Its data live as short as the cluster, so etcd does not wait for fsync."""
    client = f"http://127.0.0.1:{ports.etcd}"
    return [
        f"--data-dir={directory / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls=http://127.0.0.1:{ports.peer}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def apiserver(directory: Path, endpoint: Endpoint, ports: Ports) -> list[str]:
    """Return kube-apiserver's flags; keys are read from the directory's `pki` folder."""
    pki = directory / "pki"
    return [
        f"--etcd-servers=http://127.0.0.1:{ports.etcd}",
        f"--secure-port={ports.api}",
        f"--bind-address={endpoint.address}",
        f"--advertise-address={endpoint.address}",
        f"--endpoint-reconciler-type={'lease' if endpoint.reachable_from_pods else 'none'}",
        f"--service-cluster-ip-range={endpoint.services}",
        f"--tls-cert-file={pki / 'apiserver.crt'}",
        f"--tls-private-key-file={pki / 'apiserver.key'}",
        f"--client-ca-file={pki / 'ca.crt'}",
        f"--service-account-key-file={pki / 'service-account.key'}",
        f"--service-account-signing-key-file={pki / 'service-account.key'}",
        f"--service-account-issuer={_ISSUER}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged",
        # exec, logs and port-forward: the kubelet is called by its address, and its certificate is checked.
        f"--kubelet-client-certificate={pki / 'admin.crt'}",
        f"--kubelet-client-key={pki / 'admin.key'}",
        f"--kubelet-certificate-authority={pki / 'ca.crt'}",
        "--kubelet-preferred-address-types=InternalIP",
    ]


def controller_manager(directory: Path) -> list[str]:
    """Return kube-controller-manager's flags; it listens on no port, so that several can run side by side."""
    pki = directory / "pki"
    return [
        f"--kubeconfig={directory / 'kube-controller-manager.kubeconfig'}",
        f"--controllers={_CONTROLLERS}",
        f"--service-account-private-key-file={pki / 'service-account.key'}",
        f"--root-ca-file={pki / 'ca.crt'}",
        f"--cluster-signing-cert-file={pki / 'ca.crt'}",
        f"--cluster-signing-key-file={pki / 'ca.key'}",
        "--use-service-account-credentials",
        # The API server serves this cluster only: the default limit of 20 requests per second would only add waits.
        "--kube-api-qps=1000",
        "--kube-api-burst=2000",
        "--leader-elect=false",
        "--secure-port=0",
    ]


def scheduler(directory: Path) -> list[str]:
    """Return kube-scheduler's flags; it listens on no port, so that several can run side by side."""
    return [
        f"--kubeconfig={directory / 'kube-scheduler.kubeconfig'}",
        "--leader-elect=false",
        "--secure-port=0",
    ]
