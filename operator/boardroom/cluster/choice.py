"""The cluster that commands use: the one of the last `up`, until its `down`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from boardroom.cluster import paths
from boardroom.cluster.existing import ExistingCluster
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
        if provider not in ("auto", ExistingCluster.name):
            raise ClusterError(f"provider {provider} writes its own kubeconfig: leave --kubeconfig out")
        return ExistingCluster(kubeconfig)
    if provider == ExistingCluster.name:
        raise ClusterError("--provider kubeconfig needs --kubeconfig FILE")
    if provider == "auto":
        provider = NativeNode.name if why_no_docker() else KindCluster.name
    return KindCluster() if provider == KindCluster.name else NativeNode()


def wanted(provider: str, kubeconfig: Path | None) -> Provider:
    """Return the provider for `up`: the requested one, else the remembered one, else the choice of `choose`.

    Raises ClusterError where it would leave a cluster of ours behind, running, that no command speaks of any more.
    """
    known = _remembered()
    if known is None:
        return choose(provider, kubeconfig)
    if provider == "auto" and kubeconfig is None:
        return known
    asked = choose(provider, kubeconfig)
    if _note(asked) != _note(known) and not isinstance(known, ExistingCluster):
        seen = known.status()
        if seen.running or seen.problems:
            raise ClusterError(
                f"the {known.name} cluster is there, and these commands speak of one at a time: `boardroom cluster "
                f"down` removes it, then `up` with another; or use your kubeconfig without `boardroom cluster`"
            )
    return asked


def remember(provider: Provider) -> None:
    """Make `provider` the one that `current` returns."""
    memory = _memory()
    memory.parent.mkdir(parents=True, exist_ok=True)
    with paths.replacing(memory) as fresh:
        fresh.write_text(json.dumps(_note(provider)))


def current() -> Provider:
    """Return the remembered provider, else the one that `up` would choose, which may not be up."""
    return _remembered() or choose("auto", None)


def forget() -> None:
    """Forget the remembered provider."""
    _memory().unlink(missing_ok=True)


def _remembered() -> Provider | None:
    try:
        note = json.loads(_memory().read_text())
    except (FileNotFoundError, json.JSONDecodeError):  # a crashed machine leaves empty files
        return None
    given = note["kubeconfig"]
    return choose(note["provider"], Path(given) if given else None)


def _note(provider: Provider) -> dict[str, str | None]:
    given = str(provider.file) if isinstance(provider, ExistingCluster) else None
    return {"provider": provider.name, "kubeconfig": given}


def _memory() -> Path:
    return paths.state() / "cluster.json"
