"""Nodes and pods that are only objects: kwok says in kubelet's place that they are ready."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from boardroom.cluster import paths
from boardroom.cluster.build import ensure_built
from boardroom.cluster.controlplane import ControlPlane
from boardroom.cluster.daemon import Daemon
from boardroom.cluster.programs import Module, Program

MODULE: Final = Module(name="kwok", folder=Path(__file__).parent / "gomods" / "kwok", cold_minutes=2)
PROGRAM: Final = Program("kwok", MODULE, "sigs.k8s.io/kwok/cmd/kwok")
STAGES: Final = ("node/fast", "node/heartbeat-with-lease", "pod/fast")
"""What kwok itself ships: everything is ready at once."""
GPUS, PODS = 8, 100
"""Of each node; a board takes one GPU and two pods."""


@contextmanager
def playing_kubelet(control_plane: ControlPlane, log: Path) -> Iterator[None]:
    """Keep every node and every pod ready; the program is built first where it is missing."""
    program = ensure_built(MODULE, [PROGRAM], paths.cache() / "bin") / PROGRAM.name
    configs = [f"--config={file}" for file in _stages()]
    # Without a Lease the node lifecycle controller takes a node for gone after 50 s.
    flags = ["--manage-all-nodes=true", "--node-lease-duration-seconds=40"]
    command = [str(program), f"--kubeconfig={control_plane.kubeconfig}", *flags, *configs]
    kwok = Daemon("kwok", command, log, {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(log.parent)})
    try:
        yield
    finally:
        kwok.kill()


def _stages() -> Iterator[Path]:
    """The files in the sources that the program was built from."""
    command = ["go", "mod", "download", "-json", "sigs.k8s.io/kwok"]
    found = subprocess.run(command, cwd=MODULE.folder, capture_output=True, check=True).stdout
    sources = Path(json.loads(found)["Dir"]) / "kustomize" / "stage"
    for stage in STAGES:
        yield from (file for file in sorted((sources / stage).glob("*.yaml")) if file.stem != "kustomization")


def nodes(boards: int) -> Iterator[dict[str, Any]]:
    """As many nodes as these boards need."""
    room = {"cpu": "512", "memory": "4Ti", "pods": str(PODS), "nvidia.com/gpu": str(GPUS)}
    for index in range(boards // GPUS + 2):
        yield {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": f"kwok-{index}", "annotations": {"kwok.x-k8s.io/node": "fake"}},
            "status": {"capacity": room, "allocatable": room},
        }
