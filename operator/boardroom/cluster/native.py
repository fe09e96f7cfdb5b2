"""A Kubernetes node on this machine without Docker: Linux, root, one folder, one set of namespaces."""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from boardroom.cluster import build, cgroups, debian, host, image, init, objects, paths, processes
from boardroom.cluster.addresses import Addresses
from boardroom.cluster.daemon import tail
from boardroom.cluster.node_config import NODE_NAME
from boardroom.cluster.progress import say, still_working
from boardroom.cluster.provider import ClusterError, Status
from boardroom.cluster.rest import Rest, RestError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_READY_SECONDS = 180.0
_APPEAR_SECONDS = 3.0
_POLL_SECONDS = 0.1
_NODE = f"/api/v1/nodes/{NODE_NAME}"
_RUNTIME_SOCKET = "run/boardroom/containerd.sock"


class NativeNode:
    """A node with its own folder. Several nodes can run side by side."""

    name = "native"

    def __init__(self, directory: Path | None = None) -> None:
        """The node in `directory`, by default `node` in the state folder. Nothing runs yet."""
        self.directory = (directory or paths.state() / "node").absolute()

    def up(self, *, gpus: int = 8) -> None:
        """Start the node and return once it is Ready and advertises `gpus` GPUs. Missing programs are built first.

        On a healthy node this changes only the number of GPUs. Otherwise the remains of a crash are removed first.
        """
        _require_linux_root()
        with self._locked():
            status = self.status()
            if status.healthy:
                self._advertise(gpus)
                say(f"already up: {self._describe(gpus)}")
                return
            self._clean()
            debian.ensure(debian.NODE)
            # kubectl is for the user, and takes seconds as part of the same build.
            build.ensure(*init.PROGRAMS, "kubectl")
            started = time.monotonic()
            try:
                self._start()
                with still_working(lambda seconds: f"waiting for the node to be Ready: {seconds} s"):
                    self._wait_until_ready(gpus)
            except BaseException:
                self._clean()
                raise
            say(f"up in {time.monotonic() - started:.0f} s: {self._describe(gpus)}")

    def down(self) -> None:
        """Stop the node and remove its processes, mounts, network, control groups and data. Its logs stay."""
        _require_linux_root()
        with self._locked():
            there = self._settings() is not None or processes.marked(self.directory)
            self._clean()
            say("down" if there else "already down")

    def status(self) -> Status:
        """Return the state of processes, API server and node."""
        first = self._init()
        if first is None:
            problems = ["what a crash left is still there: `boardroom cluster down` removes it"]
            return Status(
                provider=self.name,
                running=False,
                healthy=False,
                problems=problems if self._settings() is not None else (),
            )
        present = {child.name for child in processes.children(first.pid)}
        problems = [f"{name} is not running" for name in init.DAEMONS if name not in present]
        version, gpus = "", 0
        try:
            api = Rest(self._kubeconfig)
            node = api.get(_NODE)
            version, gpus = node["status"]["nodeInfo"]["kubeletVersion"], _gpus(node)
            problems += [] if _is_ready(node) else ["the node is not Ready"]
        except (OSError, http.client.HTTPException, RestError) as error:
            problems.append(f"the API server does not answer: {error}")
        return Status(
            provider=self.name, running=True, healthy=not problems, version=version, gpus=gpus, problems=problems
        )

    def kubeconfig(self) -> Path:
        """Return the administrator's kubeconfig. Raises ClusterError if the node is not up."""
        if not self._kubeconfig.exists():
            raise ClusterError("no cluster runs: run `boardroom cluster up`")
        return self._kubeconfig

    def load(self, images: Sequence[str]) -> None:
        """Import image archives (docker-archive or OCI), or without any our own image, built if needed.

        Our own is skipped while its sources are those of the last load. Raises ClusterError if the node is not up.
        """
        if not images:
            self._load_ours()
        for named in images:
            if not Path(named).is_file():
                raise ClusterError(f"{named} is not a file: save the image first (docker save -o image.tar {named})")
            self._import(Path(named))

    def _load_ours(self) -> None:
        root = image.repository()
        digest = image.digest(root)
        loaded = self.directory / "image.digest"
        names = self.ctr("images", "list", "--quiet").stdout.splitlines()
        if image.REFERENCE in names and loaded.exists() and loaded.read_text() == digest:
            say(f"{image.REFERENCE}: unchanged since the last load")
            return
        self._import(image.ensure_archive(root, digest))
        loaded.write_text(digest)

    def _import(self, archive: Path) -> None:
        say(f"importing {archive}")
        done = self.ctr("images", "import", str(archive.absolute()))
        if done.returncode:
            raise ClusterError(f"{archive} could not be imported: {done.stderr.strip()}")

    def ctr(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run containerd's own client on the node's images and containers."""
        first = self._init()
        if first is None:
            raise ClusterError("no node runs: run `boardroom cluster up`")
        # The socket's short name exists in the node's mount namespace; /proc leads there from ours.
        address = f"/proc/{first.pid}/root/{_RUNTIME_SOCKET}"
        command = [str(build.program("ctr")), "--address", address, "--namespace", "k8s.io", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    @property
    def _kubeconfig(self) -> Path:
        return self.directory / "control-plane" / "kubeconfig"

    def _settings(self) -> Any:
        """The content of node.json. None: no file. Empty: a crashed machine left an empty file."""
        try:
            return json.loads((self.directory / "node.json").read_text())
        except FileNotFoundError:
            return None
        except json.JSONDecodeError:
            return {}

    def _init(self) -> processes.Process | None:
        """Return the node's first process in our PID namespace."""
        found = [process for process in processes.marked(self.directory) if process.inner_pid == 1]
        return found[0] if found else None

    def _start(self) -> None:
        shutil.rmtree(self.directory / "log", ignore_errors=True)
        (self.directory / "log").mkdir()
        say(f"starting the node (logs in {self.directory / 'log'})")
        with host.alone():
            host.prepare(init.MOUNT_POINTS)
            ours = host.free_addresses()
            settings = {"number": ours.number, "name_servers": host.name_servers()}
            (self.directory / "node.json").write_text(json.dumps(settings))
            self._spawn()
            host.connect(ours, self._wait_for_namespace().pid)

    def _spawn(self) -> None:
        """Start the node's first process detached, so that it survives us."""
        unshare = ["unshare", "--mount", "--net", "--pid", "--fork", "--propagation", "slave", "--mount-proc"]
        first = [sys.executable, "-m", "boardroom.cluster.init", str(self.directory)]
        environment = os.environ | {processes.MARK: str(self.directory), "PATH": debian.SEARCH_PATH}
        with (self.directory / "log" / "node.log").open("wb") as log:
            subprocess.run(
                ["setsid", "--fork", *unshare, *first],
                cwd="/",
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                check=True,
            )

    def _wait_for_namespace(self) -> processes.Process:
        """Return the node's first process once it has its own network namespace."""
        own = Path("/proc/self/ns/net").readlink()
        seen = time.monotonic()
        # unshare ends at once where the kernel refuses; before that it takes a moment to appear.
        while time.monotonic() < seen + _APPEAR_SECONDS:
            for process in processes.marked(self.directory):
                seen = time.monotonic()
                with suppress(OSError):
                    if process.inner_pid == 1 and Path(f"/proc/{process.pid}/ns/net").readlink() != own:
                        return process
            time.sleep(_POLL_SECONDS)
        raise ClusterError(f"the node's namespaces could not be made; {self._log_tail()}")

    def _wait_until_ready(self, gpus: int) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while self._init() is not None:
            with suppress(OSError, http.client.HTTPException, RestError):
                node = Rest(self._kubeconfig).get(_NODE)
                if _is_ready(node):
                    self._advertise(gpus)
                    return
            if time.monotonic() > deadline:
                raise ClusterError(f"the node was not Ready within {_READY_SECONDS:.0f} s; {self._log_tail()}")
            time.sleep(_POLL_SECONDS)
        raise ClusterError(f"the node could not start; {self._log_tail()}")

    def _advertise(self, gpus: int) -> None:
        api = Rest(self._kubeconfig)
        if _gpus(api.get(_NODE)) != gpus:
            api.merge(f"{_NODE}/status", objects.gpu_patch(gpus))

    def _clean(self) -> None:
        """Remove everything of this node, whatever its state."""
        first = self._init()
        if first is not None:
            processes.kill([first])
        processes.kill(processes.marked(self.directory))
        settings = self._settings()
        with host.alone():
            if settings:
                host.disconnect(Addresses(settings["number"]).host_interface)
            host.remove_orphaned_rules()
            for group in cgroups.named(host.INTERFACE_PREFIX) - host.interfaces():
                cgroups.remove(group)
            host.restore()
        self._remove_data()

    def _remove_data(self) -> None:
        """Remove the folder's content except the logs. Never follows a mount into other files."""
        inside = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        mounts = [place for place in inside if Path(place).is_relative_to(self.directory)]
        if mounts:
            raise ClusterError(f"still mounted below {self.directory}: {', '.join(mounts)}; unmount that first")
        for entry in self.directory.iterdir():
            if entry.name in {"log", "lock"}:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()

    def _describe(self, gpus: int) -> str:
        return f"one node with {gpus} nvidia.com/gpu; export KUBECONFIG={self._kubeconfig}"

    def _log_tail(self) -> str:
        log = self.directory / "log" / "node.log"
        return f"the end of {log}:\n{tail(log)}"

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.directory.mkdir(parents=True, exist_ok=True)
        with (self.directory / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _require_linux_root() -> None:
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        raise ClusterError("a native node needs Linux and root; use your own cluster by --kubeconfig instead")


def _is_ready(node: Any) -> bool:
    conditions = node.get("status", {}).get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def _gpus(node: Any) -> int:
    return int(node.get("status", {}).get("allocatable", {}).get("nvidia.com/gpu", "0"))
