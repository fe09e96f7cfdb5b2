"""A cluster in Docker containers, by kind. With Docker it needs neither root nor a build of Kubernetes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from boardroom.cluster import build, image, objects, paths
from boardroom.cluster.existing import ExistingCluster
from boardroom.cluster.progress import say, still_working
from boardroom.cluster.provider import ClusterError, Status

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_READY = "180s"
_DOCKER_SECONDS = 15


def why_no_docker() -> str:
    """Docker's error why kind can't run here. Empty if Docker runs."""
    docker = shutil.which("docker")
    if docker is None:
        return "there is no `docker` on PATH"
    command = [docker, "version", "--format", "{{.Server.Version}}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_DOCKER_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"Docker does not answer within {_DOCKER_SECONDS} s"
    return "" if done.returncode == 0 else done.stderr.strip() or "Docker does not answer"


class KindCluster:
    """A kind cluster for each state folder, so that a test's cluster runs beside the developer's."""

    name = "kind"

    def __init__(self, directory: Path | None = None) -> None:
        """The cluster of `directory`, by default `kind` in the state folder. Nothing runs yet."""
        self.directory = (directory or paths.state() / "kind").absolute()
        self.cluster = f"boardroom-{hashlib.sha256(str(self.directory).encode()).hexdigest()[:8]}"
        self._kubeconfig = self.directory / "kubeconfig"

    def up(self, *, gpus: int = 8) -> None:
        """Return once the node is Ready and advertises `gpus` GPUs. A healthy cluster stays as it is."""
        why = why_no_docker()
        if why:
            raise ClusterError(f"kind needs Docker, and {why}; use --provider native (Linux, root) or --kubeconfig")
        self.directory.mkdir(parents=True, exist_ok=True)
        if not self.status().healthy:
            self._kind("delete", "cluster")
            with still_working(lambda seconds: f"kind makes a cluster: {seconds} s"):
                self._kind("create", "cluster", f"--kubeconfig={self._kubeconfig}", f"--wait={_READY}")
        self._advertise(gpus)
        say(f"up: kind cluster {self.cluster} with {gpus} nvidia.com/gpu; export KUBECONFIG={self._kubeconfig}")

    def down(self) -> None:
        """Delete the cluster and its kubeconfig, if they exist."""
        self._kind("delete", "cluster")
        self._kubeconfig.unlink(missing_ok=True)
        say("down")

    def status(self) -> Status:
        """Return the state that the API server reports."""
        if not self._kubeconfig.exists():
            return Status(provider=self.name, running=False, healthy=False)
        seen = ExistingCluster(self._kubeconfig).status()
        return Status(
            provider=self.name,
            running=True,
            healthy=seen.healthy,
            version=seen.version,
            gpus=seen.gpus,
            problems=seen.problems,
        )

    def kubeconfig(self) -> Path:
        """Return kind's kubeconfig. Raises ClusterError if the cluster is not up."""
        if not self._kubeconfig.exists():
            raise ClusterError("the kind cluster is not up: run `boardroom cluster up`")
        return self._kubeconfig

    def load(self, images: Sequence[str]) -> None:
        """Load archives into the nodes, or our own image, built by Docker. Raises ClusterError."""
        self.kubeconfig()
        if images:
            self._kind("load", "image-archive", *images)
            return
        say(f"docker builds {image.REFERENCE}")
        self._run(["docker", "build", "--quiet", "--tag", image.REFERENCE, str(image.repository())])
        self._kind("load", "docker-image", image.REFERENCE)

    def _advertise(self, gpus: int) -> None:
        """Advertise GPUs. The kubelet keeps extended resources that it does not own."""
        kubectl = [str(build.program("kubectl")), f"--kubeconfig={self._kubeconfig}"]
        patch = json.dumps(objects.gpu_patch(gpus))
        for node in self._run([*kubectl, "get", "nodes", "-o", "name"]).split():
            self._run([*kubectl, "patch", node, "--subresource=status", "--type=merge", f"--patch={patch}"])

    def _kind(self, *arguments: str) -> None:
        """Run kind on our cluster: the user's program, or else the program built from its Go module."""
        program = shutil.which("kind") or str(build.program("kind"))
        self._run([program, *arguments, f"--name={self.cluster}"])

    def _run(self, command: list[str]) -> str:
        environment = os.environ | {"KIND_EXPERIMENTAL_PROVIDER": "docker"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ClusterError(f"`{' '.join(command)}` failed:\n{done.stderr.strip()[-3000:]}")
        return done.stdout
