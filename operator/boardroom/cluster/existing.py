"""An existing cluster, named by a kubeconfig. The commands check the cluster and never change it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from boardroom.cluster import build
from boardroom.cluster.progress import say
from boardroom.cluster.provider import ClusterError, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

_TIMEOUT_SECONDS = 15
_LOGIN_SECONDS = 60


class ExistingCluster:
    """The cluster of a kubeconfig, reached through kubectl, which supports every login."""

    name = "kubeconfig"

    def __init__(self, kubeconfig: Path) -> None:
        """Use the current context of `kubeconfig`."""
        self.file = kubeconfig.absolute()

    def up(self, *, gpus: int) -> None:  # noqa: ARG002 - its nodes are not ours to patch
        """Check that the cluster answers. Raises ClusterError."""
        status = self.status()
        if not status.healthy:
            raise ClusterError(f"{self.file}: {'; '.join(status.problems)}")
        say(f"it answers: Kubernetes {status.version}, {status.gpus} nvidia.com/gpu on its nodes")

    def down(self) -> None:
        """Do nothing."""
        say("a given cluster is not stopped: it is not ours")

    def status(self) -> Status:
        """Return its version and the GPUs of its nodes."""
        try:
            version = self._get("/version")["gitVersion"]
        except ClusterError as error:
            return Status(provider=self.name, running=False, healthy=False, problems=[str(error)])
        return Status(provider=self.name, running=True, healthy=True, version=version, gpus=self._gpus())

    def kubeconfig(self) -> Path:
        """Return the kubeconfig file. Raises ClusterError if it does not exist."""
        if not self.file.exists():
            raise ClusterError(
                f"{self.file} does not exist: name another by `boardroom cluster up --kubeconfig`, or forget it by "
                "`boardroom cluster down`"
            )
        return self.file

    def load(self, images: Sequence[str]) -> None:
        """Refuse: the nodes of an existing cluster pull from a registry."""
        named = " ".join(images) or "the image"
        raise ClusterError(
            f"images can't be loaded into a given cluster: push {named} to a registry that it pulls from, "
            "and set that image in the operator's installation"
        )

    def _gpus(self) -> int:
        try:
            nodes = self._get("/api/v1/nodes")["items"]
        except ClusterError:
            return 0  # Many users have no right to list nodes; the cluster works all the same.
        return sum(int(node["status"].get("allocatable", {}).get("nvidia.com/gpu", "0")) for node in nodes)

    def _get(self, path: str) -> Any:
        command = [str(build.program("kubectl")), f"--kubeconfig={self.kubeconfig()}", "get", "--raw", path]
        timeout = f"--request-timeout={_TIMEOUT_SECONDS}s"
        try:
            done = subprocess.run(
                [*command, timeout], capture_output=True, text=True, check=False, timeout=_LOGIN_SECONDS
            )
        except subprocess.TimeoutExpired as error:
            raise ClusterError(
                f"kubectl has not answered for {_LOGIN_SECONDS} s: does the login of {self.file} wait for you? "
                f"Log in with it first, for example by `kubectl --kubeconfig={self.file} version`"
            ) from error
        if done.returncode:
            raise ClusterError(f"it does not answer: {done.stderr.strip()}")
        return json.loads(done.stdout)
