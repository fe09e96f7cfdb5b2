"""System programs that a cluster needs, installed by apt if they are missing."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from boardroom.cluster.progress import say

if TYPE_CHECKING:
    from collections.abc import Iterable

# A root's PATH may lack the sbin folders (su without -).
SEARCH_PATH = os.pathsep.join(
    [
        *filter(None, [os.environ.get("PATH")]),
        "/usr/local/sbin",
        "/usr/sbin",
        "/sbin",
        "/usr/local/bin",
        "/usr/bin",
        "/bin",
    ]
)


class MissingProgramsError(RuntimeError):
    """A system program is missing and could not be installed. The message names the packages."""


@dataclass(frozen=True)
class Package:
    """A Debian package and one of its programs, which shows on any system that it is installed."""

    name: str
    program: str
    folders: str = SEARCH_PATH

    def find(self) -> Path | None:
        """Return where the program is, or None."""
        found = shutil.which(self.program, path=self.folders)
        return Path(found) if found else None


RUNC = Package("runc", "runc")
IPTABLES = Package("iptables", "iptables")
IPROUTE = Package("iproute2", "ip")
UTIL_LINUX = Package("util-linux", "unshare")
CNI = Package("containernetworking-plugins", "ptp", "/usr/lib/cni:/opt/cni/bin:/usr/libexec/cni")
BUILDAH = Package("buildah", "buildah")
MMDEBSTRAP = Package("mmdebstrap", "mmdebstrap")
# Its one binary is also the server under that name; the package redis-server would start one on this machine.
REDIS = Package("redis-tools", "redis-check-rdb")

NODE = (RUNC, IPTABLES, IPROUTE, UTIL_LINUX, CNI)
IMAGE = (BUILDAH, MMDEBSTRAP)


def ensure(packages: Iterable[Package]) -> None:
    """Install the packages of missing programs by apt, with a message. Needs root for that."""
    missing = [package for package in packages if package.find() is None]
    if not missing:
        return
    names = [package.name for package in missing]
    apt = shutil.which("apt-get", path=SEARCH_PATH)
    if apt is None or os.geteuid() != 0:
        raise MissingProgramsError(f"please install (as Debian names them): {' '.join(names)}")
    say(f"installing from Debian: {' '.join(names)}")
    install = [apt, "install", "-y", "-q", "--no-install-recommends", *names]
    # A fresh machine has old or no package lists: fetch them only if the first attempt fails.
    if run(install).returncode != 0:
        run([apt, "update", "-q"])
        tried = run(install)
        if tried.returncode != 0:
            raise MissingProgramsError(f"`{' '.join(install)}` failed:\n{tried.stdout[-2000:]}")
    absent = [package.name for package in missing if package.find() is None]
    if absent:
        raise MissingProgramsError(f"apt installed {' '.join(absent)}, but the programs are still not found")


def require(package: Package) -> Path:
    """Return the path of the package's program. Raises MissingProgramsError."""
    found = package.find()
    if found is None:
        raise MissingProgramsError(f"please install (as Debian names it): {package.name}")
    return found


def run(command: list[str], folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command, in `folder` if given. stdout and stderr are one stream."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
