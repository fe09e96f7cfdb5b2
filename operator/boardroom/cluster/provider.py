"""The interface of all cluster providers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class ClusterError(RuntimeError):
    """A cluster operation failed. The message names the remedy."""


@dataclass(frozen=True, kw_only=True)
class Status:
    """The current state of a cluster."""

    provider: str
    running: bool
    """Whether a part of it runs."""
    healthy: bool
    """Whether all of it runs and it accepts pods."""
    version: str = ""
    gpus: int = 0
    problems: Sequence[str] = field(default_factory=tuple)


class Provider(Protocol):
    """A provider of a Kubernetes cluster."""

    name: str

    def up(self, *, gpus: int) -> None:
        """Start the cluster and return once it accepts pods. A running one stays as it is. Raises ClusterError."""

    def down(self) -> None:
        """Remove what `up` created. Raises ClusterError."""

    def status(self) -> Status:
        """Return the cluster's current state."""
        ...

    def kubeconfig(self) -> Path:
        """Return the kubeconfig file. Raises ClusterError if there is no cluster."""
        ...

    def load(self, images: Sequence[str]) -> None:
        """Load image archives, or without any our own image, into the cluster's nodes."""
