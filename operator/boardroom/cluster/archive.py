"""An OCI-loadable archive (docker-archive) with one image of one layer, written without any image tool."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def write_binary_image(binary: Path, *, reference: str, machine: str, out: Path) -> None:
    """Write to `out` an image whose only file is a static `binary`, run as its entry point by an unprivileged user.

    `machine` is the kernel's word for the processor, as platform.machine() returns it. The same input gives the same
    bytes.
    """
    entry = f"/{binary.name}"
    layer = _tar({entry.removeprefix("/"): binary.read_bytes()}, mode=0o755)
    config: dict[str, Any] = {
        "architecture": _ARCHITECTURES.get(machine, machine),
        "os": "linux",
        "config": {"Entrypoint": [entry], "User": "65535:65535"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    encoded = json.dumps(config).encode()
    config_name = f"{hashlib.sha256(encoded).hexdigest()}.json"
    manifest = [{"Config": config_name, "RepoTags": [reference], "Layers": ["layer.tar"]}]
    content = {"manifest.json": json.dumps(manifest).encode(), config_name: encoded, "layer.tar": layer}
    out.write_bytes(_tar(content, mode=0o644))


def _tar(files: dict[str, bytes], *, mode: int) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            tar.addfile(entry, io.BytesIO(content))
    return archive.getvalue()
