"""Helm as users call it, on the charts of this repository."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tools.programs import tool

CHARTS = Path(__file__).parents[2] / "charts"


class HelmError(Exception):
    """Helm failed; the message is its own."""


def own_folders(home: Path) -> dict[str, str]:
    """The environment by which Helm reads and writes below `home`, and nothing of the user's own."""
    return {f"HELM_{what}_HOME": str(home / what.lower()) for what in ("CACHE", "CONFIG", "DATA")}


@dataclass(frozen=True, kw_only=True)
class Helm:
    """One version of Helm, on one cluster where it needs any; it reads and writes nothing of the user's own."""

    program: Path
    home: Path
    kubeconfig: str | None = None

    @classmethod
    def of(cls, name: str, home: Path, kubeconfig: str | None = None) -> "Helm":
        """`helm4` or `helm3`, built first where missing."""
        return cls(program=tool(name), home=home, kubeconfig=kubeconfig)

    def run(self, *args: str) -> str:
        """What it says on standard output; raises HelmError."""
        folders = own_folders(self.home)
        cluster = {"KUBECONFIG": self.kubeconfig or "/dev/null"}
        done = subprocess.run(
            [self.program, *args], env=os.environ | folders | cluster, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise HelmError(done.stderr + done.stdout)
        return done.stdout

    def template(
        self, chart: str, *args: str, namespace: str = "boards", release: str | None = None
    ) -> list[dict[str, Any]]:
        """The objects that a release would have; it is named like the chart where it is given no name."""
        # A Helm 3 that its release scripts did not build takes Kubernetes for 1.20.
        flags = ("--namespace", namespace, "--kube-version", "1.36.0")
        text = self.run("template", release or chart, str(CHARTS / chart), *flags, *args)
        return [obj for obj in yaml.safe_load_all(text) if obj]
