"""Which cluster the commands speak of: the one that the last `up` named, until its `down`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from boardroom.cluster import places
from boardroom.cluster.given import GivenCluster
from boardroom.cluster.native import NativeNode
from boardroom.cluster.provider import ClusterError

if TYPE_CHECKING:
    from boardroom.cluster.provider import Provider

PROVIDERS = ("auto", "native", "kubeconfig")


def choose(provider: str, kubeconfig: Path | None) -> Provider:
    """Return the provider of a name; `auto` is the given kubeconfig, else a native node. Raises ClusterError."""
    if provider == "kubeconfig" and kubeconfig is None:
        raise ClusterError("--provider kubeconfig needs --kubeconfig FILE")
    if provider == "native" and kubeconfig is not None:
        raise ClusterError("a native node writes its own kubeconfig: leave --kubeconfig out")
    return NativeNode() if kubeconfig is None else GivenCluster(kubeconfig)


def remember(provider: Provider) -> None:
    """Make `provider` the one that `current` returns."""
    memory = _memory()
    memory.parent.mkdir(parents=True, exist_ok=True)
    given = str(provider.kubeconfig()) if isinstance(provider, GivenCluster) else None
    memory.write_text(json.dumps({"kubeconfig": given}))


def current() -> Provider:
    """Return the provider remembered, else the native node, which may not be up."""
    try:
        given = json.loads(_memory().read_text())["kubeconfig"]
    except FileNotFoundError:
        given = None
    return choose("auto", Path(given) if given else None)


def forget() -> None:
    """Speak of the native node again."""
    _memory().unlink(missing_ok=True)


def _memory() -> Path:
    return places.state() / "cluster.json"
