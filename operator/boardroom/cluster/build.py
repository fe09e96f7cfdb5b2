"""Builds programs from their Go modules, once, into the user's cache."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from boardroom.cluster import paths
from boardroom.cluster.programs import PROGRAMS, Module, Program
from boardroom.cluster.progress import say, still_working

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class BuildError(RuntimeError):
    """A program could not be built; the message holds the end of Go's output."""


def ensure(*names: str) -> Path:
    """Return a folder that holds every named program under its name. Missing programs are built first.

    Programs are kept per version: a change of a module's go.mod, go.sum or flags builds anew. Two processes may ask at
    once. A kubectl that works on PATH is taken as it is.

    Raises BuildError when there is no Go or the build fails, KeyError for a name that is not in `PROGRAMS`.
    """
    wanted = [PROGRAMS[name] for name in dict.fromkeys(names)]
    store = paths.cache() / "bin"
    folder = store / _overall_key()
    folder.mkdir(parents=True, exist_ok=True)
    missing = [program for program in wanted if not (folder / program.name).exists()]
    built = [program for program in missing if not _link_from_path(program, folder)]
    for module in dict.fromkeys(program.module for program in built):
        ours = [program for program in built if program.module == module]
        place = ensure_built(module, ours, store)
        for program in ours:
            _link(place / program.name, folder / program.name)
    return folder


def program(name: str) -> Path:
    """Return the path of one program, building it first if needed; raises what `ensure` raises."""
    return ensure(name) / name


def found(name: str) -> Path | None:
    """Return a program that `ensure` built before, or None. Builds nothing."""
    path = paths.cache() / "bin" / _overall_key() / name
    return path if path.exists() else None


def ensure_built(module: Module, programs: Sequence[Program], store: Path) -> Path:
    """Return the folder under `store` that holds these programs of one module, building the missing ones together."""
    place = store / f"{module.name}-{module.key()}"
    place.mkdir(parents=True, exist_ok=True)
    with _locked(place / ".lock", f"another build of {module.name}"):
        missing = [program for program in programs if not (place / program.name).exists()]
        if missing:
            for left in place.glob(".build-*"):
                shutil.rmtree(left)
            with tempfile.TemporaryDirectory(dir=place, prefix=".build-") as scratch:
                _go_build(module, missing, Path(scratch))
                # A program appears under its name only when it is complete, so an interrupted build never counts.
                for program in missing:
                    (Path(scratch) / program.go_name).rename(place / program.name)
    return place


def _go_build(module: Module, programs: Sequence[Program], out: Path) -> None:
    go = shutil.which("go")
    names = ", ".join(program.name for program in programs)
    if go is None:
        raise BuildError(f"{names} must be built, but PATH has no `go`: install Go 1.26 or newer (go.dev/dl)")
    say(f"building {names} (once; up to about {module.cold_minutes} min on 2 cores, kept in {out.parent.parent})")
    command = [go, "build", "-v", *module.flags(), "-o", f"{out}/", *(program.package for program in programs)]
    # The user's GOFLAGS could select another mod mode or workspace: ignore them.
    environment = os.environ | {
        "CGO_ENABLED": "0",
        "GOFLAGS": "-mod=readonly",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }
    with subprocess.Popen(
        command, cwd=module.folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            said = _follow(process, f"building {module.name}")
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        raise BuildError(f"`{' '.join(command)}` failed in {module.folder}:\n{''.join(said[-30:])}")


def _follow(process: subprocess.Popen[str], doing: str) -> list[str]:
    """Read the output of `go build -v` until it ends: one line for each package compiled or module downloaded."""
    said: list[str] = []
    with still_working(lambda seconds: f"{doing}: {seconds} s" + (f", {len(said)} packages compiled" if said else "")):
        for line in process.stderr or ():
            said.append(line)  # noqa: PERF402 - extend() would show the count only at the end
        process.wait()
    return said


def _overall_key() -> str:
    keys = sorted({program.module.key() for program in PROGRAMS.values()})
    return hashlib.sha256(" ".join(keys).encode()).hexdigest()[:12]


def _link_from_path(program: Program, folder: Path) -> bool:
    found = shutil.which(program.name) if program.name == "kubectl" else None
    if found is None:
        return False
    works = subprocess.run([found, "version", "--client"], capture_output=True, timeout=30, check=False).returncode == 0
    if works:
        _link(Path(found), folder / program.name)
    return works


def _link(target: Path, link: Path) -> None:
    with paths.replacing(link) as fresh:
        fresh.symlink_to(target)


@contextmanager
def _locked(file: Path, holder: str) -> Iterator[None]:
    with file.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for {holder} to finish")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
