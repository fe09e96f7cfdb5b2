"""Programs of Debian packages, unpacked into the cache instead of installed, so that no service starts."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from boardroom.cluster.debian import SEARCH_PATH, MissingProgramsError, Package, run
from boardroom.cluster.paths import cache
from boardroom.cluster.progress import say

PROMTOOL = Package("prometheus", "promtool")


def unpack(package: Package) -> Path:
    """Return the package's program: the system's, else the cache's, downloaded by apt if needed.

    Raises MissingProgramsError where there is no apt, or apt has no such package.
    """
    installed = package.find()
    if installed is not None:
        return installed
    program = cache() / "debian" / package.program
    if not program.exists():
        program.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=program.parent) as scratch:
            _fetch(package, Path(scratch)).replace(program)
    return program


def _fetch(package: Package, scratch: Path) -> Path:
    apt, dpkg = (shutil.which(name, path=SEARCH_PATH) for name in ("apt-get", "dpkg-deb"))
    if apt is None or dpkg is None:
        raise MissingProgramsError(f"please install (as Debian names it): {package.name}")
    say(f"fetching from Debian: {package.name}")
    download = [apt, "download", "-q", package.name]
    # A fresh machine has old or no package lists: fetch them only if the first attempt fails.
    if run(download, scratch).returncode != 0:
        run([apt, "update", "-q"], scratch)
        tried = run(download, scratch)
        if tried.returncode != 0:
            raise MissingProgramsError(f"`{' '.join(download)}` failed:\n{tried.stdout[-2000:]}")
    (archive,) = scratch.glob("*.deb")
    unpacked = run([dpkg, "-x", str(archive), str(scratch)], scratch)
    program = scratch / "usr" / "bin" / package.program
    if unpacked.returncode != 0 or not program.exists():
        raise MissingProgramsError(f"{archive.name} has no usr/bin/{package.program}: {unpacked.stdout[-2000:]}")
    return program
