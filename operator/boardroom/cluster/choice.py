"""Which cluster the commands speak of: the one that the last `up` named, until its `down`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from boardroom.cluster import places
from boardroom.cluster.given import GivenCluster
from boardroom.cluster.kind import KindCluster, why_no_docker
from boardroom.cluster.native import NativeNode
from boardroom.cluster.provider import ClusterError

if TYPE_CHECKING:
    from boardroom.cluster.provider import Provider

PROVIDERS = ("auto", "kind", "native", "kubeconfig")


def choose(provider: str, kubeconfig: Path | None) -> Provider:
    """Return the provider of a name. Raises ClusterError.

    `auto` is the given kubeconfig, else kind where Docker answers, else a native node.
    """
    if kubeconfig is not None:
        if provider not in ("auto", GivenCluster.name):
            raise ClusterError(f"provider {provider} writes its own kubeconfig: leave --kubeconfig out")
        return GivenCluster(kubeconfig)
    if provider == GivenCluster.name:
        raise ClusterError("--provider kubeconfig needs --kubeconfig FILE")
    if provider == "auto":
        provider = NativeNode.name if why_no_docker() else KindCluster.name
    return KindCluster() if provider == KindCluster.name else NativeNode()


def remember(provider: Provider) -> None:
    """Make `provider` the one that `current` returns."""
    memory = _memory()
    memory.parent.mkdir(parents=True, exist_ok=True)
    given = str(provider.kubeconfig()) if isinstance(provider, GivenCluster) else None
    fresh = memory.with_name(f".{memory.name}.{os.getpid()}")
    fresh.write_text(json.dumps({"provider": provider.name, "kubeconfig": given}))
    fresh.replace(memory)


def current() -> Provider:
    """Return the provider remembered, else the one that `up` would take, which may not be up."""
    try:
        memory = json.loads(_memory().read_text())
    except (FileNotFoundError, json.JSONDecodeError):  # a machine that went down leaves empty files
        return choose("auto", None)
    given = memory["kubeconfig"]
    return choose(memory["provider"], Path(given) if given else None)


def forget() -> None:
    """Speak of no cluster in particular again."""
    _memory().unlink(missing_ok=True)


def _memory() -> Path:
    return places.state() / "cluster.json"
