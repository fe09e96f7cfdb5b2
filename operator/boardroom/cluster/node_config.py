"""The configuration files of a native node's parts, as data or text.

Paths are those inside the node's mount namespace, where its folder is always `HOME`: short (a Unix socket's path holds
108 bytes) and the same wherever the user's state folder is.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from boardroom.cluster.addresses import Addresses

HOME = Path("/run/boardroom")
NODE_NAME = "boardroom"
DOMAIN = "cluster.local"
PAUSE_IMAGE = "localhost/boardroom-pause:1"
SOCKET = HOME / "containerd.sock"
KUBELET_ROOT = Path("/var/lib/kubelet")


def containerd(*, runc: Path, cni_plugins: Path, may_raise_priority: bool) -> str:
    """Return containerd's config.toml; without CAP_SYS_RESOURCE no sandbox starts unless OOM scores are restricted."""
    cri = "plugins.'io.containerd.cri.v1"
    return f"""\
version = 3
root = "{HOME}/containerd/root"
state = "{HOME}/containerd/state"
disabled_plugins = ["io.containerd.nri.v1.nri", "io.containerd.internal.v1.opt"]

[grpc]
address = "{SOCKET}"

[{cri}.images']
snapshotter = "overlayfs"

[{cri}.images'.pinned_images]
sandbox = "{PAUSE_IMAGE}"

[{cri}.runtime']
netns_mounts_under_state_dir = true
restrict_oom_score_adj = {json.dumps(not may_raise_priority)}

[{cri}.runtime'.cni]
bin_dirs = ["{cni_plugins}"]
conf_dir = "{HOME}/cni"

[{cri}.runtime'.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[{cri}.runtime'.containerd.runtimes.runc.options]
BinaryName = "{runc}"
SystemdCgroup = false
"""


def pod_network(addresses: Addresses) -> Any:
    """Return the CNI configuration: each pod has its own routed link.

    Routed rather than bridged, so that what one pod sends to another by way of a ClusterIP passes the node's NAT both
    ways without br_netfilter.
    """
    address_management = {
        "type": "host-local",
        "dataDir": f"{HOME}/addresses",
        "ranges": [[{"subnet": addresses.pods}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    return {
        "cniVersion": "1.0.0",
        "name": "boardroom",
        "plugins": [
            {"type": "ptp", "ipam": address_management},
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }


def kubelet(addresses: Addresses, *, pki: Path, cgroup: str) -> Any:
    """Return the KubeletConfiguration: any cgroup version, no disk pressure evictions on a full developer's disk."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{pki}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": f"{pki}/kubelet.crt",
        "tlsPrivateKeyFile": f"{pki}/kubelet.key",
        "containerRuntimeEndpoint": f"unix://{SOCKET}",
        "clusterDNS": [addresses.node],
        "clusterDomain": DOMAIN,
        "resolvConf": f"{HOME}/resolv.conf",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": cgroup,
        "failCgroupV1": False,
        "failSwapOn": False,
        "enforceNodeAllocatable": [],
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        # Images are imported: a collected one could not be pulled again.
        "imageGCHighThresholdPercent": 100,
        "podLogsDir": f"{HOME}/pod-logs",
        "volumePluginDir": f"{HOME}/volume-plugins",
    }


def kube_proxy(addresses: Addresses) -> Any:
    """Return the KubeProxyConfiguration; conntrack's limits belong to the host and stay as they are."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": f"{HOME}/control-plane/kube-proxy.kubeconfig"},
        "hostnameOverride": NODE_NAME,
        "mode": "iptables",
        "clusterCIDR": addresses.pods,
        # A small cluster can apply each change at once, so that a Ready pod is soon reachable.
        "iptables": {"minSyncPeriod": "0.1s"},
        "conntrack": {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        },
    }


def corefile(addresses: Addresses, upstream: Sequence[str]) -> str:
    """Return CoreDNS's configuration: the cluster's names, and all others by `upstream`, if any."""
    forward = f"    forward . {' '.join(upstream)}\n" if upstream else ""
    return f"""\
.:53 {{
    bind {addresses.node}
    errors
    ready 127.0.0.1:8181
    cache 30
    kubernetes {DOMAIN} in-addr.arpa ip6.arpa {{
        kubeconfig {HOME}/control-plane/coredns.kubeconfig
    }}
{forward}}}
"""


def resolv_conf(upstream: Sequence[str]) -> str:
    """Return the resolv.conf of the node itself, which pulls images and hands it to pods with dnsPolicy Default."""
    return "".join(f"nameserver {server}\n" for server in upstream)
