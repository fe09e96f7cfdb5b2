"""What a native node leaves on the machine, and the end of its processes."""

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

from boardroom.cluster import cgroups, host, init, processes
from boardroom.cluster.addresses import Addresses
from boardroom.cluster.native import NativeNode
from tools.waiting import until


def traces_on_the_machine(directory: Path, number: int) -> list[str]:
    """What is there of a node now, found by its name and number: another node may come and go meanwhile."""
    name = Addresses(number).host_interface
    rules = subprocess.run(["iptables-save"], capture_output=True, text=True, check=True).stdout
    return [
        *(f"process {process.pid} {process.name}" for process in processes.marked(directory)),
        *(line for line in Path("/proc/mounts").read_text().splitlines() if str(directory) in line),
        *(f"link {link}" for link in host.interfaces() & {name}),
        *(line for line in rules.splitlines() if name in line.split()),
        *(f"control group {group}" for group in cgroups.named(name) & {name}),
    ]


def traces_of_the_last_node() -> dict[str, Any]:
    """What nodes share, put back with the last of them; empty while there is another."""
    if any(link.startswith(host.INTERFACE_PREFIX) for link in host.interfaces()):
        return {}
    folders = {str(place): place.exists() for place in init.MOUNT_POINTS}
    return {"/run": sorted(entry.name for entry in Path("/run").iterdir()), **folders, **host.settings()}


def alive(node: NativeNode) -> set[tuple[int, str, str]]:
    """(id, PID namespace, network namespace) of each process of a node that is up."""
    (first,) = [process for process in processes.marked(node.directory) if process.inner_pid == 1]
    return {_identity(process.pid) for process in [first, *_descendants(first.pid)]}


def survivors(of: set[tuple[int, str, str]]) -> list[tuple[int, str, str]]:
    """Processes that are in one of these namespaces, other than this machine's own."""
    own = _identity(os.getpid())[1:]
    spaces = {space for _, *kinds in of for space in kinds} - {*own, ""}
    return [identity for process in processes.running() if spaces & set((identity := _identity(process.pid))[1:])]


def kill(node: NativeNode, names: tuple[str, ...]) -> None:
    """SIGKILL by name; `init` is the node's first process, `unshare` the one that holds its namespaces."""
    marked = processes.marked(node.directory)
    (first,) = [process for process in marked if process.inner_pid == 1]
    of_node = _descendants(first.pid)
    for name in names:
        chosen = {
            "init": [first],
            "unshare": [process for process in marked if process.name == "unshare"],
        }.get(name) or [process for process in of_node if process.name == name]
        assert chosen, f"{name} does not run"
        for process in chosen:
            os.kill(process.pid, signal.SIGKILL)
    killed = {"init"} & set(names)
    if names and not killed:
        gone = set(names) - {"unshare"}
        until(f"{gone} ended", lambda: not gone & {process.name for process in processes.children(first.pid)}, 10)


def _descendants(pid: int) -> list[processes.Process]:
    everything = list(processes.running())
    found, frontier = [], {pid}
    while frontier:
        children = [process for process in everything if process.parent in frontier]
        found += children
        frontier = {process.pid for process in children}
    return found


def _identity(pid: int) -> tuple[int, str, str]:
    try:
        own = Path(f"/proc/{pid}/ns")
        return pid, str((own / "pid").readlink()), str((own / "net").readlink())
    except OSError:  # it ended meanwhile, or is none of ours to look into
        return pid, "", ""
