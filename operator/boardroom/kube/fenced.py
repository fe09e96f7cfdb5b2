"""A client that writes only while its process may lead."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from boardroom.kube.errors import KubeError
from boardroom.kube.kinds import Kind, Object
from boardroom.kube.protocol import Kube, Page, Selection


class NotLeadingError(KubeError):
    """A write that was not sent, because another process may lead by now."""

    def __init__(self) -> None:
        super().__init__(0, "not written: the Lease was not renewed in time, another operator may lead")


@dataclass(frozen=True)
class FencedKube:
    """Implements Kube by another one; every write raises NotLeadingError once `is_leader` is False."""

    kube: Kube
    is_leader: Callable[[], bool]

    async def get(self, kind: Kind, namespace: str, name: str) -> Object | None:
        return await self.kube.get(kind, namespace, name)

    def pages(self, kind: Kind, selection: Selection) -> AsyncIterator[Page]:
        return self.kube.pages(kind, selection)

    def watch(self, kind: Kind, selection: Selection, resource_version: str) -> AsyncIterator[Object]:
        return self.kube.watch(kind, selection, resource_version)

    async def apply(self, kind: Kind, manifest: Object, *, force: bool = True) -> Object:
        self._check()
        return await self.kube.apply(kind, manifest, force=force)

    async def apply_status(self, kind: Kind, manifest: Object, *, manager: str | None = None) -> Object:
        self._check()
        return await self.kube.apply_status(kind, manifest, manager=manager)

    async def delete(self, kind: Kind, namespace: str, name: str, uid: str) -> None:
        self._check()
        await self.kube.delete(kind, namespace, name, uid)

    async def create(self, kind: Kind, manifest: Object) -> Object:
        self._check()
        return await self.kube.create(kind, manifest)

    def _check(self) -> None:
        if not self.is_leader():
            raise NotLeadingError
