"""Our one image, built from the repository's Dockerfile by buildah on a Debian base: neither Docker nor a registry.

Everything is kept in the cache: the base, the layers (so that a change of source costs seconds) and the last archive.
"""

from __future__ import annotations

import configparser
import fcntl
import hashlib
import os
import shlex
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from boardroom.cluster import debian, paths
from boardroom.cluster.progress import say, still_working
from boardroom.cluster.provider import ClusterError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

REFERENCE = "localhost/boardroom-operator:dev"
_BASE = "localhost/boardroom-base:bookworm"
_DEPENDENCIES = "localhost/boardroom-dependencies:dev"
_SUITE = "bookworm"  # Debian 12: its python3 is 3.11
_PACKAGES = "python3,python3-venv,ca-certificates"
_LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")
_SINGLE_SOURCES = (
    ".dockerignore",
    "Dockerfile",
    "LICENSE",
    "README.md",
    "pyproject.toml",
    "requirements/dev.lock",
    "requirements/runtime.lock",
    "requirements/uv.lock",
)
_SOURCE_FOLDERS = ("operator/boardroom",)
# Settings of pip and uv for networks with their own index or proxy.
_NETWORK = (
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "PIP_DEFAULT_TIMEOUT",
    "PIP_EXTRA_INDEX_URL",
    "PIP_INDEX_URL",
    "PIP_TRUSTED_HOST",
    "UV_DEFAULT_INDEX",
    "UV_HTTP_TIMEOUT",
    "UV_INDEX",
    "UV_INDEX_URL",
)
_CERTIFICATES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_CA_IN_BUILD = "/run/secrets/build_ca"


@dataclass(frozen=True)
class Network:
    """How the build reaches a package index: a shell file of exports, and a bundle of certificates if one is set."""

    exports: str
    certificates: Path | None


def repository() -> Path:
    """Return the root of the clone that runs this code. Raises ClusterError outside a clone."""
    root = Path(__file__).parents[3]
    if not (root / "Dockerfile").exists():
        raise ClusterError("our image is built from a clone of the repository: run this in one")
    return root


def digest(root: Path) -> str:
    """Return a digest of the image's sources, by name and content."""
    whole = hashlib.sha256()
    for file in sources(root):
        whole.update(f"{file.relative_to(root)}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return whole.hexdigest()


def sources(root: Path) -> list[Path]:
    """Return the image's source files in a fixed order, without files that Python or macOS leave behind."""
    single = [root / name for name in _SINGLE_SOURCES if (root / name).exists()]
    folders = [
        file
        for folder in _SOURCE_FOLDERS
        for file in sorted((root / folder).rglob("*"))
        if file.is_file() and file.suffix != ".pyc" and file.name != ".DS_Store"
    ]
    return [*single, *folders]


def ensure_archive(root: Path, wanted: str) -> Path:
    """Return a docker-archive of the image of `root`, of digest `wanted`, built unless it is cached."""
    cache = paths.cache() / "image"
    cache.mkdir(parents=True, exist_ok=True)
    archive = cache / "boardroom-operator.tar"
    built = cache / "boardroom-operator.digest"
    with _locked(cache / "lock"):
        if not (archive.exists() and built.exists() and built.read_text() == wanted):
            debian.ensure(debian.IMAGE)
            built.unlink(missing_ok=True)
            archive.unlink(missing_ok=True)
            store = _Store(cache)
            store.ensure_base()
            store.build(root, archive)
            built.write_text(wanted)
    return archive


def network(environment: Mapping[str, str], pip_configs: list[str]) -> Network:
    """Return how to reach the index, as pip is set up: the environment first, then the texts of pip.conf files."""
    exports = {name: environment[name] for name in _NETWORK if name in environment}
    exports |= {name: environment[name.lower()] for name in _NETWORK if name.lower() in environment}
    config = configparser.ConfigParser(interpolation=None, strict=False)
    for text in pip_configs:
        config.read_string(text)
    index = config.get("global", "index-url", fallback="")
    if index and "PIP_INDEX_URL" not in exports:
        exports["PIP_INDEX_URL"] = index
    if "PIP_INDEX_URL" in exports and not exports.keys() & {"UV_DEFAULT_INDEX", "UV_INDEX_URL"}:
        exports["UV_DEFAULT_INDEX"] = exports["PIP_INDEX_URL"]
    named = [environment[name] for name in _CERTIFICATES if environment.get(name)]
    certificates = next(iter([*named, *filter(None, [config.get("global", "cert", fallback="")])]), None)
    if certificates:
        exports |= {"PIP_CERT": _CA_IN_BUILD, "SSL_CERT_FILE": _CA_IN_BUILD}
    lines = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in sorted(exports.items()))
    return Network(lines, Path(certificates) if certificates else None)


class _Store:
    """buildah's image store, separate from the machine's other users."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._log = cache / "build.log"
        self._log.write_text("")
        buildah, root, run = debian.require(debian.BUILDAH), cache / "storage", cache / "run"
        self._buildah = [str(buildah), f"--root={root}", f"--runroot={run}", "--storage-driver=overlay"]

    def ensure_base(self) -> None:
        """Build the Debian base image from Debian's packages, once."""
        if self._succeeds("inspect", "--type", "image", _BASE):
            return
        say("building the image's Debian base (once; about 40 s)")
        mmdebstrap = str(debian.require(debian.MMDEBSTRAP))
        left_out = [f"--dpkgopt=path-exclude={pattern}" for pattern in _LEFT_OUT]
        with tempfile.TemporaryDirectory(dir=self._cache) as scratch:
            tar = f"{scratch}/base.tar"
            with still_working(lambda seconds: f"building the base: {seconds} s"):
                self._run([mmdebstrap, "--variant=minbase", f"--include={_PACKAGES}", *left_out, _SUITE, tar])
            container = self._output("from", "scratch")
            self._run([*self._buildah, "add", "-q", container, tar, "/"])
            self._run([*self._buildah, "commit", "-q", "--rm", container, _BASE])

    def build(self, root: Path, archive: Path) -> None:
        """Build the Dockerfile on our base, and write the image to `archive` atomically."""
        say("building the image from the Dockerfile (the first time about 40 s, then only what changed)")
        configs = [file.read_text() for file in _pip_config_files() if file.exists()]
        reach = network(os.environ, configs)
        with tempfile.TemporaryDirectory(dir=self._cache) as scratch:
            exports = Path(scratch) / "build_env"
            exports.write_text(reach.exports)
            secrets = [f"--secret=id=build_env,src={exports}"]
            secrets += [f"--secret=id=build_ca,src={reach.certificates}"] if reach.certificates else []
            bud = [*self._buildah, "bud", "--isolation=chroot", "--layers", f"--build-arg=BASE={_BASE}", *secrets]
            fresh = Path(scratch) / "image.tar"
            with still_working(lambda seconds: f"building the image: {seconds} s"):
                # An interrupted build leaves a container, whose image can't be pruned. The lock excludes other
                # builds.
                self._run([*self._buildah, "rm", "--all"])
                self._run([*bud, "--tag", REFERENCE, str(root)])
                self._run([*self._buildah, "push", "-q", REFERENCE, f"docker-archive:{fresh}:{REFERENCE}"])
                # Prune images of earlier sources, but not the layers of a stage that the image does not descend from.
                self._run([*bud, "--target=dependencies", "--tag", _DEPENDENCIES, str(root)])
                self._run([*self._buildah, "rmi", "--prune"])
            fresh.replace(archive)

    def _succeeds(self, *arguments: str) -> bool:
        return subprocess.run([*self._buildah, *arguments], capture_output=True, check=False).returncode == 0

    def _output(self, *arguments: str) -> str:
        return subprocess.run(
            [*self._buildah, *arguments], stdout=subprocess.PIPE, text=True, check=True
        ).stdout.strip()

    def _run(self, command: list[str]) -> None:
        with self._log.open("a") as log:
            log.write(f"$ {' '.join(command)}\n")
            log.flush()
            done = subprocess.run(command, stdout=log, stderr=log, check=False)
        if done.returncode:
            end = "\n".join(self._log.read_text(errors="replace").splitlines()[-30:])
            raise ClusterError(f"`{Path(command[0]).name}` failed; the end of {self._log}:\n{end}")


def _pip_config_files() -> list[Path]:
    named = os.environ.get("PIP_CONFIG_FILE")
    user = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "pip" / "pip.conf"
    return [Path("/etc/pip.conf"), Path.home() / ".pip" / "pip.conf", user, *([Path(named)] if named else [])]


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    with file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
