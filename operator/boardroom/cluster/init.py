"""The first process of a native node: PID 1 of its PID, mount and network namespaces.

All else of the node runs below it, so when it ends, however it ends, the kernel ends every daemon, shim and container,
and with them go the mounts, the network namespaces and the rules inside. That is what makes `down` sure.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from boardroom.cluster import archive, build, cgroups, node_config, objects
from boardroom.cluster.addresses import API_PORT, Addresses
from boardroom.cluster.commands import Endpoint
from boardroom.cluster.controlplane import ControlPlane
from boardroom.cluster.daemon import Daemon
from boardroom.cluster.debian import CNI, IPROUTE, IPTABLES, RUNC, SEARCH_PATH, require
from boardroom.cluster.host import NODE_INTERFACE
from boardroom.cluster.node_config import HOME, NODE_NAME
from boardroom.cluster.pki import Identity
from boardroom.cluster.progress import say
from boardroom.cluster.provision import keep_provisioning
from boardroom.cluster.rest import Rest

if TYPE_CHECKING:
    from collections.abc import Sequence

DAEMONS = (
    "containerd",
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "coredns",
)
PROGRAMS = (*DAEMONS, "containerd-shim-runc-v2", "ctr", "pause")
MOUNT_POINTS = (node_config.KUBELET_ROOT, Path("/var/lib/cni"), Path("/var/log/containers"))
"""Folders with fixed names that the parts write to. The node mounts its own over them."""
_LINK_SECONDS = 30.0
_CONTAINERD_SECONDS = 60.0
_CAP_SYS_RESOURCE = 24


def main(folder: Path) -> None:
    """Run the node in `folder`, whose node.json holds its number, until killed."""
    settings = json.loads((folder / "node.json").read_text())
    ours = Addresses(settings["number"])
    name_servers: list[str] = settings["name_servers"]
    _own_mounts(folder, node_config.resolv_conf(name_servers))
    _own_network(ours)
    cgroups.create(ours.host_interface)
    daemons = _start(ours, name_servers)
    say("node: all parts started")
    _reap({daemon.process.pid: daemon.name for daemon in daemons})


def _own_mounts(folder: Path, resolv_conf: str) -> None:
    """Mount the node's own folders at fixed places. unshare made our mounts private before."""
    resolver = Path("/etc/resolv.conf").resolve()
    _run("mount", "--make-rshared", "/")
    _run("mount", "-t", "tmpfs", "-o", "mode=755", "boardroom", "/run")
    HOME.mkdir()
    _run("mount", "--bind", str(folder), str(HOME))
    for place in MOUNT_POINTS:
        own = HOME / place.name
        own.mkdir(exist_ok=True)
        _run("mount", "--bind", str(own), str(place))
    (HOME / "resolv.conf").write_text(resolv_conf)
    if resolver.is_relative_to("/run"):
        resolver.parent.mkdir(parents=True, exist_ok=True)
        resolver.touch()
    if resolver.exists():
        _run("mount", "--bind", str(HOME / "resolv.conf"), str(resolver))


def _own_network(ours: Addresses) -> None:
    """Set up our end of the link to the host, and NAT for the pods behind it."""
    deadline = time.monotonic() + _LINK_SECONDS
    while NODE_INTERFACE not in {name for _, name in socket.if_nameindex()}:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the host did not link {NODE_INTERFACE} to this namespace in {_LINK_SECONDS:.0f} s")
        time.sleep(0.02)
    ip, iptables = str(require(IPROUTE)), str(require(IPTABLES))
    _run(ip, "link", "set", "lo", "up")
    _run(ip, "address", "add", f"{ours.node}/30", "dev", NODE_INTERFACE)
    _run(ip, "link", "set", NODE_INTERFACE, "up")
    _run(ip, "route", "add", "default", "via", ours.host)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    out = ["-s", ours.pods, "-o", NODE_INTERFACE, "-j", "MASQUERADE"]
    _run(iptables, "--wait", "--table", "nat", "-A", "POSTROUTING", *out)


def _start(ours: Addresses, name_servers: Sequence[str]) -> list[Daemon]:
    programs = build.ensure(*PROGRAMS)
    for folder in ("log", "cni", "volumes", "volume-plugins"):
        (HOME / folder).mkdir(exist_ok=True)
    containerd = _start_containerd(ours, programs)
    plane = ControlPlane(
        HOME / "control-plane",
        controller_manager=True,
        scheduler=True,
        endpoint=Endpoint(address=ours.node, port=API_PORT, services=ours.services),
    )
    plane.start()
    say("node: API server ready")
    api = Rest(plane.kubeconfig)
    for path, manifest in objects.cluster_objects():
        api.apply(path, manifest)
    _import_pause(containerd, programs)
    started = [containerd, *plane.daemons, *_start_agents(ours, plane, programs, name_servers)]
    threading.Thread(target=keep_provisioning, args=(api,), daemon=True).start()
    return started


def _start_containerd(ours: Addresses, programs: Path) -> Daemon:
    config = HOME / "containerd.toml"
    text = node_config.containerd(
        runc=require(RUNC), cni_plugins=require(CNI).parent, may_raise_priority=_has_capability(_CAP_SYS_RESOURCE)
    )
    config.write_text(text)
    (HOME / "cni" / "10-boardroom.conflist").write_text(json.dumps(node_config.pod_network(ours)))
    return _daemon("containerd", programs, ["--config", str(config)])


def _import_pause(containerd: Daemon, programs: Path) -> None:
    image = HOME / "pause.tar"
    archive.write_binary_image(
        programs / "pause", reference=node_config.PAUSE_IMAGE, machine=platform.machine(), out=image
    )
    ctr = [str(programs / "ctr"), "--address", str(node_config.SOCKET), "--namespace", "k8s.io"]

    def answers() -> bool:
        return subprocess.run([*ctr, "version"], capture_output=True, check=False).returncode == 0

    containerd.wait_until(answers, seconds=_CONTAINERD_SECONDS)
    _run(*ctr, "images", "import", str(image))


def _start_agents(ours: Addresses, plane: ControlPlane, programs: Path, name_servers: Sequence[str]) -> list[Daemon]:
    """Start what runs on each node: kubelet, kube-proxy, and the cluster's DNS."""
    kubelet = Identity(
        name="kubelet",
        common_name=f"system:node:{NODE_NAME}",
        organization="system:nodes",
        hosts=[NODE_NAME, ours.node],
    )
    for identity in (
        kubelet,
        Identity(name="kube-proxy", common_name="system:kube-proxy"),
        Identity(name="coredns", common_name="system:coredns"),
    ):
        plane.write_kubeconfig(identity)
    configs = {
        "kubelet.json": json.dumps(
            node_config.kubelet(ours, pki=plane.directory / "pki", cgroup=f"/{ours.host_interface}")
        ),
        "kube-proxy.json": json.dumps(node_config.kube_proxy(ours)),
        "Corefile": node_config.corefile(ours, name_servers),
    }
    for name, text in configs.items():
        (HOME / name).write_text(text)
    kubelet_flags = [
        f"--config={HOME / 'kubelet.json'}",
        f"--kubeconfig={plane.directory / 'kubelet.kubeconfig'}",
        f"--hostname-override={NODE_NAME}",
        f"--node-ip={ours.node}",
    ]
    return [
        _daemon("kubelet", programs, kubelet_flags),
        _daemon("kube-proxy", programs, [f"--config={HOME / 'kube-proxy.json'}"]),
        _daemon("coredns", programs, ["-conf", str(HOME / "Corefile")]),
    ]


def _daemon(name: str, programs: Path, flags: Sequence[str]) -> Daemon:
    # containerd finds its shim, and CNI plugins find iptables, on PATH.
    environment = {"PATH": f"{programs}{os.pathsep}{SEARCH_PATH}", "HOME": str(HOME)}
    return Daemon(name, [programs / name, *flags], HOME / "log" / f"{name}.log", environment)


def _reap(names: dict[int, str]) -> None:
    """Reap every orphan of the namespace, forever. The log and `status` name a part that ended."""
    while True:
        pid, status = os.wait()
        if pid in names:
            say(f"node: {names.pop(pid)} ended: {os.waitstatus_to_exitcode(status)}")


def _has_capability(number: int) -> bool:
    status = Path("/proc/self/status").read_text()
    effective = next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(effective, 16) >> number & 1)


def _run(program: str, *arguments: str) -> None:
    command = [shutil.which(program, path=SEARCH_PATH) or program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"`{' '.join(command)}` failed: {done.stderr.strip()}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
