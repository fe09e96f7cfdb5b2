"""The programs of a cluster, each with its Go module."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

_GOMODS = Path(__file__).parent / "gomods"


@dataclass(frozen=True, kw_only=True)
class Module:
    """A Go module of this repository, whose go.mod requires programs by version."""

    name: str
    folder: Path
    cold_minutes: int
    """Build time of the module on two cores with an empty build cache."""
    tags: str = ""
    stamp: str = ""
    """The module whose version the linker writes into the programs; empty if the programs need none."""

    def version(self) -> str:
        """Return the version that go.mod requires of `stamp`, such as `v1.36.3`."""
        required = (self.folder / "go.mod").read_text()
        found = re.search(rf"^\s*(?:require )?{re.escape(self.stamp)} (v\S+)", required, re.MULTILINE)
        if found is None:
            raise LookupError(f"{self.folder / 'go.mod'} does not require {self.stamp}")
        return found[1]

    def flags(self) -> list[str]:
        """Return the flags of `go build` that decide what the programs contain."""
        link = "-s -w"
        if self.stamp:
            version = self.version()
            major, minor = version.removeprefix("v").split(".")[:2]
            prefix = "k8s.io/component-base/version"
            link += f" -X {prefix}.gitVersion={version} -X {prefix}.gitMajor={major} -X {prefix}.gitMinor={minor}"
        flags = ["-trimpath", "-buildvcs=false", f"-ldflags={link}"]
        return [*flags, f"-tags={self.tags}"] if self.tags else flags

    def key(self) -> str:
        """Return a short digest of the programs' inputs: requirements, checksums, our own source, flags."""
        digest = hashlib.sha256("\0".join(self.flags()).encode())
        for file in sorted(self.folder.glob("*")):
            if file.name in {"go.mod", "go.sum"} or file.suffix == ".go":
                digest.update(f"\0{file.name}\0".encode() + file.read_bytes())
        return digest.hexdigest()[:12]


@dataclass(frozen=True)
class Program:
    """An executable: its name and its main package."""

    name: str
    module: Module
    package: str

    @property
    def go_name(self) -> str:
        """The file name `go build` gives it: the package's last element that is not a major version."""
        elements = [part for part in self.package.split("/") if not re.fullmatch(r"v[2-9]\d*", part)]
        return self.module.name if self.package == "." else elements[-1]


KUBERNETES = Module(name="kubernetes", folder=_GOMODS / "kubernetes", cold_minutes=6, stamp="k8s.io/kubernetes")
CONTAINERD = Module(
    name="containerd", folder=_GOMODS / "containerd", cold_minutes=2, tags="no_btrfs,no_devmapper,no_zfs,no_aufs"
)
COREDNS = Module(name="coredns", folder=_GOMODS / "coredns", cold_minutes=2)
KIND = Module(name="kind", folder=_GOMODS / "kind", cold_minutes=1)
PAUSE = Module(name="pause", folder=_GOMODS / "pause", cold_minutes=1)

_CONTAINERD_COMMANDS = "github.com/containerd/containerd/v2/cmd"

PROGRAMS: dict[str, Program] = {
    program.name: program
    for program in (
        Program("etcd", KUBERNETES, "go.etcd.io/etcd/server/v3"),
        *(
            Program(name, KUBERNETES, f"k8s.io/kubernetes/cmd/{name}")
            for name in (
                "kube-apiserver",
                "kube-controller-manager",
                "kube-scheduler",
                "kubelet",
                "kube-proxy",
                "kubectl",
            )
        ),
        *(
            Program(name, CONTAINERD, f"{_CONTAINERD_COMMANDS}/{name}")
            for name in ("containerd", "containerd-shim-runc-v2", "ctr")
        ),
        Program("coredns", COREDNS, "."),
        Program("pause", PAUSE, "."),
        Program("kind", KIND, "sigs.k8s.io/kind"),
    )
}
