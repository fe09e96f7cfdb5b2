"""The changes of a native node on the host: one network link, its NAT rules and a few kernel settings."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shlex
import socket
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from boardroom.cluster import addresses as addressing
from boardroom.cluster.debian import IPROUTE, IPTABLES, require

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from boardroom.cluster.addresses import Addresses

INTERFACE_PREFIX = "boardroom"
NODE_INTERFACE = "eth0"
# The kubelet sets these for the whole machine. net.ipv4.ip_forward lets traffic out of the node.
SETTINGS = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
    "net/ipv4/ip_forward",
)
_SYSCTL = Path("/proc/sys")
# In /run: a reboot ends all nodes, resets the settings and removes this file too.
_RECORD = Path("/run/boardroom-host.json")
_RESOLV_CONFS = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))


class HostError(RuntimeError):
    """The machine refused a change. The message holds the command and its output."""


def free_addresses() -> Addresses:
    """Return unused addresses for a new node. Raises HostError if there are none."""
    routes = json.loads(_run([str(require(IPROUTE)), "-json", "route", "show", "table", "all"]) or "[]")
    try:
        return addressing.choose(route["dst"] for route in routes if ":" not in route["dst"])
    except LookupError as error:
        raise HostError(str(error)) from error


def name_servers() -> list[str]:
    """Return the machine's name servers that other networks can reach."""
    return addressing.upstream_dns([file.read_text() for file in _RESOLV_CONFS if file.exists()])


def connect(ours: Addresses, pid: int) -> None:
    """Link the network namespace of process `pid` to this machine, and let the node's traffic out through it."""
    link = ours.host_interface
    _ip("link", "add", link, "type", "veth", "peer", "name", NODE_INTERFACE, "netns", str(pid))
    _ip("address", "add", f"{ours.host}/30", "dev", link)
    _ip("link", "set", link, "up")
    for network in (ours.pods, ours.services):
        _ip("route", "add", network, "via", ours.node, "dev", link)
    (_SYSCTL / "net/ipv4/ip_forward").write_text("1")
    for table, rule in rules(ours):
        _run([str(require(IPTABLES)), "--wait", "--table", table, *rule])


def rules(ours: Addresses) -> list[tuple[str, list[str]]]:
    """Return (table, arguments) of the iptables rules that let a node out; each carries the link's name."""
    link = ours.host_interface
    mark = ["-m", "comment", "--comment", link]
    back = ["-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED"]
    return [
        ("nat", ["-A", "POSTROUTING", "-s", ours.link, "!", "-o", link, *mark, "-j", "MASQUERADE"]),
        ("filter", ["-I", "FORWARD", "-i", link, *mark, "-j", "ACCEPT"]),
        ("filter", ["-I", "FORWARD", "-o", link, *back, *mark, "-j", "ACCEPT"]),
    ]


def disconnect(link: str) -> None:
    """Remove a node's link and its routes, if they still exist.

    The kernel removes it too, a little after the last process of the node's network namespace has ended.
    """
    try:
        _ip("link", "delete", link)
    except HostError:
        if link in interfaces():
            raise


def remove_orphaned_rules() -> None:
    """Remove every iptables rule of a node whose link no longer exists."""
    iptables = IPTABLES.find()
    if iptables is None:
        return
    present = interfaces()
    for table in ("nat", "filter"):
        saved = _run([str(iptables.with_name("iptables-save")), "--table", table])
        for rule in orphaned(saved, present):
            _run([str(iptables), "--wait", "--table", table, *rule])


def orphaned(saved: str, present: set[str]) -> list[list[str]]:
    """Return the arguments that delete each rule in iptables-save's text that belongs to a link not in `present`."""
    found = []
    for line in saved.splitlines():
        words = shlex.split(line) if line.startswith("-A ") else []
        comment = words[words.index("--comment") + 1] if "--comment" in words else ""
        if _is_link(comment) and comment not in present:
            found.append(["-D", *words[1:]])
    return found


def interfaces() -> set[str]:
    """Return the names of this machine's network interfaces."""
    return {name for _, name in socket.if_nameindex()}


@contextmanager
def alone() -> Iterator[None]:
    """Exclude other starts and stops of nodes. The lock is on a folder, so no lock file remains."""
    folder = os.open(_RECORD.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def prepare(mount_points: Iterable[Path]) -> None:
    """Create the folders that nodes mount over, and record the settings before the first node."""
    missing = [place for place in mount_points if not place.exists()]
    if not _RECORD.exists():
        _RECORD.write_text(json.dumps({"settings": settings(), "made": [str(place) for place in missing]}))
    for place in missing:
        place.mkdir(parents=True)


def restore() -> None:
    """Restore settings and folders to their state before the first node, after the last node."""
    if any(_is_link(name) for name in interfaces()) or not _RECORD.exists():
        return
    record = json.loads(_RECORD.read_text())
    for name, value in record["settings"].items():
        file = _SYSCTL / name
        if name in SETTINGS and file.read_text().strip() != value:
            with contextlib.suppress(PermissionError):
                file.write_text(value)
    for place in map(Path, record["made"]):
        with contextlib.suppress(OSError):
            place.rmdir()
    _RECORD.unlink()


def settings() -> dict[str, str]:
    """Return the current values of the kernel settings that a node changes."""
    return {name: (_SYSCTL / name).read_text().strip() for name in SETTINGS if (_SYSCTL / name).exists()}


def _is_link(name: str) -> bool:
    return name.startswith(INTERFACE_PREFIX) and name.removeprefix(INTERFACE_PREFIX).isdigit()


def _ip(*arguments: str) -> str:
    return _run([str(require(IPROUTE)), *arguments])


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise HostError(f"`{shlex.join(command)}` failed: {done.stderr.strip()}")
    return done.stdout
