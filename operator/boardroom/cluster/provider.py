"""What the commands ask of a cluster, however it comes to be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class ClusterError(RuntimeError):
    """A cluster can't do what was asked; the message says the remedy."""


@dataclass(frozen=True, kw_only=True)
class Status:
    """What was seen of a cluster just now."""

    provider: str
    running: bool
    """Something of it is there."""
    healthy: bool
    """All of it is there, and it takes pods."""
    version: str = ""
    gpus: int = 0
    problems: Sequence[str] = field(default_factory=tuple)


class Provider(Protocol):
    """A way to have a Kubernetes."""

    name: str

    def up(self, *, gpus: int) -> None:
        """Return once the cluster takes pods; one that does already is left as it is. Raises ClusterError."""

    def down(self) -> None:
        """Remove what `up` made, and nothing else; raises ClusterError."""

    def status(self) -> Status:
        """Look at the cluster now."""
        ...

    def kubeconfig(self) -> Path:
        """Return the file that kubectl takes; raises ClusterError where there is no cluster."""
        ...

    def load(self, images: Sequence[str]) -> None:
        """Make images of this machine (archives, or our own when none is named) known to the cluster's nodes."""
