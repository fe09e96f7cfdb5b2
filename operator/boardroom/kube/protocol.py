"""The API server's operations that controller and coordinator use, as a Protocol that tests fake."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from boardroom.kube.kinds import Kind, Object


@dataclass(frozen=True, kw_only=True)
class Page:
    """Some objects of one kind, as of a resource version, which is that of the whole list."""

    items: list[Object]
    resource_version: str


@dataclass(frozen=True, kw_only=True)
class Selection:
    """A selection of objects to list and watch: a namespace (None: all), label and field selectors (empty: all)."""

    namespace: str | None
    labels: str = ""
    fields: str = ""


class Kube(Protocol):
    """An API server. Every method may raise KubeError and nothing else."""

    async def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        """The object; None if it does not exist."""

    def pages(self, kind: Kind, selection: Selection) -> AsyncIterator[Page]:
        """All selected objects of a kind; at least one page."""

    def watch(self, kind: Kind, selection: Selection, resource_version: str) -> AsyncIterator[Object]:
        """Watch events since a resource version, bookmarks included, until the API server ends the watch."""

    async def apply(self, kind: Kind, manifest: Object, *, force: bool = True) -> Object:
        """Server-side apply as the client's field manager; without `force` another's field is a ConflictError."""

    async def apply_status(self, kind: Kind, manifest: Object, *, manager: str | None = None) -> Object:
        """Server-side apply of `status`; the manifest has every field there that `manager` (ours: None) owns."""

    async def delete(self, kind: Kind, namespace: str, name: str, uid: str) -> None:
        """Delete the object with this uid; do nothing if it is gone or replaced."""

    async def create(self, kind: Kind, manifest: Object) -> Object:
        """Create an object; returns it as the API server completes it."""
