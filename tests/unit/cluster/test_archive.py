"""An image of one binary."""

import hashlib
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from boardroom.cluster import archive


def _image(folder: Path, *, machine: str = "x86_64") -> Path:
    binary = folder / "pause"
    binary.write_bytes(b"program")
    out = folder / "image.tar"
    archive.write_binary_image(binary, reference="localhost/pause:1", machine=machine, out=out)
    return out


def _json(image: Path, name: str) -> Any:
    with tarfile.open(image) as tar:
        member = tar.extractfile(name)
        assert member is not None
        return json.load(member)


def test_the_manifest_names_config_and_layer(tmp_path: Path) -> None:
    image = _image(tmp_path)
    (manifest,) = _json(image, "manifest.json")
    with tarfile.open(image) as tar:
        names = tar.getnames()
    assert [manifest["RepoTags"], names] == [
        ["localhost/pause:1"],
        ["manifest.json", manifest["Config"], *manifest["Layers"]],
    ]


def test_the_config_holds_the_layers_digest(tmp_path: Path) -> None:
    image = _image(tmp_path)
    (manifest,) = _json(image, "manifest.json")
    with tarfile.open(image) as tar:
        layer = tar.extractfile("layer.tar")
        assert layer is not None
        digest = hashlib.sha256(layer.read()).hexdigest()
    assert _json(image, manifest["Config"])["rootfs"]["diff_ids"] == [f"sha256:{digest}"]


def test_the_binary_runs_as_somebody_unprivileged(tmp_path: Path) -> None:
    image = _image(tmp_path)
    (manifest,) = _json(image, "manifest.json")
    assert _json(image, manifest["Config"])["config"] == {"Entrypoint": ["/pause"], "User": "65535:65535"}


@pytest.mark.parametrize(("machine", "expected"), [("x86_64", "amd64"), ("aarch64", "arm64"), ("riscv64", "riscv64")])
def test_the_architecture_has_gos_name(tmp_path: Path, machine: str, expected: str) -> None:
    image = _image(tmp_path, machine=machine)
    (manifest,) = _json(image, "manifest.json")
    assert _json(image, manifest["Config"])["architecture"] == expected


def test_the_same_binary_gives_the_same_bytes(tmp_path: Path) -> None:
    first = _image(tmp_path).read_bytes()
    assert _image(tmp_path).read_bytes() == first
