"""Programs that only tests run, built from Go modules like those of a cluster and kept beside them."""

from __future__ import annotations

import sys
from pathlib import Path

from boardroom.cluster import paths
from boardroom.cluster.build import ensure_built
from boardroom.cluster.programs import Module, Program

_GOMODS = Path(__file__).parent / "gomods"

PROGRAMS = {
    program.name: program
    for program in (
        Program("helm4", Module(name="helm4", folder=_GOMODS / "helm4", cold_minutes=3), "helm.sh/helm/v4/cmd/helm"),
        Program("helm3", Module(name="helm3", folder=_GOMODS / "helm3", cold_minutes=2), "helm.sh/helm/v3/cmd/helm"),
        Program(
            "kubeconform",
            Module(name="kubeconform", folder=_GOMODS / "kubeconform", cold_minutes=1),
            "github.com/yannh/kubeconform/cmd/kubeconform",
        ),
        Program(
            "versitygw",
            Module(name="versitygw", folder=_GOMODS / "versitygw", cold_minutes=3),
            "github.com/versity/versitygw/cmd/versitygw",
        ),
        Program("kstatus", Module(name="kstatus", folder=_GOMODS / "kstatus", cold_minutes=1), "."),
    )
}


def tool(name: str) -> Path:
    """Return the path of one program, building it first if needed; raises BuildError, KeyError."""
    wanted = PROGRAMS[name]
    return ensure_built(wanted.module, [wanted], paths.cache() / "bin") / name


if __name__ == "__main__":
    for each in sys.argv[1:]:
        print(tool(each))
