"""A kubeconfig with one cluster, one user and one context."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from boardroom.cluster import paths

if TYPE_CHECKING:
    from pathlib import Path

    from boardroom.cluster.pki import KeyPair


def kubeconfig(*, server: str, authority: bytes, certificate: bytes, key: bytes, name: str = "boardroom") -> Any:
    """Return a kubeconfig with embedded certificates, so that the file can be moved or copied."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": server, "certificate-authority-data": _base64(authority)}}],
        "users": [
            {
                "name": name,
                "user": {"client-certificate-data": _base64(certificate), "client-key-data": _base64(key)},
            }
        ],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }


def write(file: Path, *, server: str, authority: Path, user: KeyPair) -> Path:
    """Write the kubeconfig of `user` (JSON, which is YAML), readable by its owner only, and return `file`."""
    content = kubeconfig(
        server=server,
        authority=authority.read_bytes(),
        certificate=user.certificate.read_bytes(),
        key=user.key.read_bytes(),
    )
    with paths.replacing(file) as fresh:
        fresh.touch(mode=0o600, exist_ok=False)  # private before it has content
        fresh.write_text(json.dumps(content, indent=1))
    return file


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
