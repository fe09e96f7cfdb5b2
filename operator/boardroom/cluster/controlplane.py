"""A Kubernetes control plane as child processes with its own ports and keys: several can run side by side."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

from boardroom.cluster import build, commands, kubeconfig
from boardroom.cluster.commands import Endpoint, Ports
from boardroom.cluster.daemon import Daemon, DaemonError
from boardroom.cluster.pki import Authority, Identity, KeyPair

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

_READY_SECONDS = 120.0
_PORT_ATTEMPTS = 3
_T = TypeVar("_T")
_ADMIN = Identity(name="admin", common_name="boardroom-admin", organization="system:masters")
_CLIENTS = {
    name: Identity(name=name, common_name=f"system:{name}") for name in ("kube-controller-manager", "kube-scheduler")
}


class ControlPlane:
    """etcd and kube-apiserver, with the controller manager and the scheduler where asked for.

    The processes die with the thread that called `start`, so call it from one that lives as long as they should.
    After `stop`, `start` brings back the same data under the same address and keys. `start` raises DaemonError when a
    part does not come up, with the end of its log, and build.BuildError when a program can't be built.
    """

    def __init__(
        self,
        directory: Path | str,
        *,
        controller_manager: bool = False,
        scheduler: bool = False,
        endpoint: Endpoint | None = None,
    ) -> None:
        """Plan a control plane that keeps its data, keys and logs in `directory`; nothing runs before `start`."""
        self.directory = Path(directory).absolute()
        self.endpoint = endpoint or Endpoint()
        self.kubeconfig = self.directory / "kubeconfig"
        self._clients: dict[str, Callable[[Path], list[str]]] = {}
        if controller_manager:
            self._clients["kube-controller-manager"] = commands.controller_manager
        if scheduler:
            self._clients["kube-scheduler"] = commands.scheduler
        self._ports: Ports | None = None
        self._authority: Authority | None = None
        self._admin: KeyPair | None = None
        self.daemons: list[Daemon] = []
        """The parts that run, in the order of their start."""

    def start(self) -> None:
        """Start every part and return once the API server is ready. Missing programs are built first."""
        programs = build.ensure("etcd", "kube-apiserver", *self._clients)
        for folder in ("pki", "log"):
            (self.directory / folder).mkdir(parents=True, exist_ok=True)
        for attempt in range(1, _PORT_ATTEMPTS + 1):
            ports = self._ports or _free_ports(self.endpoint)
            try:
                self._start_on(ports, programs)
            except DaemonError as error:
                # Another process may take a free port before we use it: retry. A port of an earlier start is kept.
                if self._ports or attempt == _PORT_ATTEMPTS or "address already in use" not in str(error):
                    raise
            else:
                self._ports = ports
                return

    def stop(self) -> None:
        """Kill every part. The data stay in the directory."""
        while self.daemons:
            self.daemons.pop().kill()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def server(self) -> str:
        """The API server's URL; known once started."""
        return self._url(_started(self._ports))

    def issue(self, identity: Identity) -> KeyPair:
        """Write a key and a certificate that this cluster trusts to the directory's `pki` folder."""
        return _started(self._authority).issue(identity)

    def write_kubeconfig(self, identity: Identity) -> Path:
        """Write `<name>.kubeconfig` for a new identity to the directory, and return its path."""
        return self._write_kubeconfig(f"{identity.name}.kubeconfig", self.issue(identity), self.server)

    def _start_on(self, ports: Ports, programs: Path) -> None:
        with ExitStack() as undo:
            undo.callback(self.stop)
            admin = self._admin = self._admin or self._make_keys()
            server = self._url(ports)
            self._write_kubeconfig(self.kubeconfig.name, admin, server)
            self._run("etcd", programs, commands.etcd(self.directory, ports), lambda: _answers(ports.etcd))
            flags = commands.apiserver(self.directory, self.endpoint, ports)
            trust = _trust(_started(self._authority).pair, admin)
            self._run("kube-apiserver", programs, flags, lambda: _ready(self.endpoint.address, ports.api, trust))
            for name, flags_of in self._clients.items():
                self._write_kubeconfig(f"{name}.kubeconfig", self.issue(_CLIENTS[name]), server)
                self._run(name, programs, flags_of(self.directory), lambda: True)
            undo.pop_all()

    def _run(self, name: str, programs: Path, flags: Sequence[str], ready: Callable[[], bool]) -> None:
        environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self.directory)}
        daemon = Daemon(name, [programs / name, *flags], self.directory / "log" / f"{name}.log", environment)
        self.daemons.append(daemon)
        daemon.wait_until(ready, seconds=_READY_SECONDS)

    def _make_keys(self) -> KeyPair:
        self._authority = Authority(self.directory / "pki")
        self._authority.signing_key("service-account")
        self.issue(Identity(name="apiserver", common_name="kube-apiserver", hosts=self.endpoint.hosts()))
        return self.issue(_ADMIN)

    def _write_kubeconfig(self, name: str, user: KeyPair, server: str) -> Path:
        authority = _started(self._authority).pair.certificate
        return kubeconfig.write(self.directory / name, server=server, authority=authority, user=user)

    def _url(self, ports: Ports) -> str:
        return f"https://{self.endpoint.address}:{ports.api}"


def _started(value: _T | None) -> _T:
    if value is None:
        raise RuntimeError("the control plane has not been started: call start() first")
    return value


def _free_ports(endpoint: Endpoint) -> Ports:
    """Pick three different ports: each listener stays open until all are known."""
    with ExitStack() as stack:

        def pick(address: str) -> int:
            listener = stack.enter_context(closing(socket.create_server((address, 0))))
            port: int = listener.getsockname()[1]
            return port

        api = endpoint.port or pick(endpoint.address)
        return Ports(api, pick("127.0.0.1"), pick("127.0.0.1"))


def _trust(authority: KeyPair, admin: KeyPair) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(authority.certificate))
    context.load_cert_chain(admin.certificate, admin.key)
    return context


def _answers(port: int) -> bool:
    return _get(http.client.HTTPConnection("127.0.0.1", port, timeout=5), "/health")


def _ready(address: str, port: int, trust: ssl.SSLContext) -> bool:
    return _get(http.client.HTTPSConnection(address, port, timeout=5, context=trust), "/readyz")


def _get(connection: http.client.HTTPConnection, path: str) -> bool:
    with closing(connection):
        try:
            connection.request("GET", path)
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
