"""Kopf as informer: every watch event goes into the store, and the boards it concerns onto the queue.

Kopf never reports what vanished while a watch was broken, so everything is listed anew from time to time.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import kopf

from boardroom.controller.connection import Connection
from boardroom.controller.kinds import CLUSTER_SCOPED, WATCHED, Key, Kind, key_of, selector
from boardroom.controller.kubeclient import Kube, KubeError, NotFoundError
from boardroom.controller.metrics import Metrics
from boardroom.controller.queue import WorkQueue
from boardroom.controller.store import Store
from boardroom.controller.watches import Watches

_log = logging.getLogger(__name__)
_RETRY_SECONDS: Final = 5.0
_KOPF_IDLE_SECONDS: Final = 0.05


@dataclass
class Informer:
    """Keeps the store true and the queue fed."""

    kube: Kube
    store: Store
    queue: WorkQueue[Key]
    metrics: Metrics
    watches: Watches
    namespaces: Sequence[str] = ()
    """The namespaces to look at; none means all."""
    resync_seconds: float = 600.0
    synced: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once everything has been listed."""

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What is watched; rights in some namespaces give none to cluster-scoped objects."""
        return tuple(kind for kind in WATCHED if kind not in CLUSTER_SCOPED) if self.namespaces else WATCHED

    def registry(self, connection: Connection) -> kopf.OperatorRegistry:
        """Kopf's handlers: one for each watched kind, and nothing that would need a finalizer or an annotation."""
        registry = kopf.OperatorRegistry()

        async def login(**_: Any) -> kopf.ConnectionInfo:
            return await connection.login()

        kopf.on.login(id="login", registry=registry)(login)
        for kind in self.kinds:
            kopf.on.event(
                group=kind.group, version=kind.version, plural=kind.plural, id=kind.plural, registry=registry
            )(self._handler(kind))
        return registry

    def _handler(self, kind: Kind) -> Any:
        def handle(event: kopf.RawEvent, **_: Any) -> None:
            self.seen(kind, event["type"], dict(event["object"]))

        async def handler(event: kopf.RawEvent, **_: Any) -> None:
            handle(event)

        return handler

    def seen(self, kind: Kind, type_: str | None, obj: dict[str, Any]) -> None:
        """Take in one watch event: type ADDED, MODIFIED, DELETED, or None for an object of Kopf's first list."""
        self.metrics.events.labels(kind.name).inc()
        self.watches.told((kind, obj["metadata"].get("namespace") if self.namespaces else None), obj)
        concerned = self.store.remove(kind, obj) if type_ == "DELETED" else self.store.put(kind, obj)
        self._enqueue(concerned)

    async def sync(self) -> None:
        """List everything, and have every board looked at."""
        for kind in self.kinds:
            for namespace in self.namespaces or (None,):
                self._enqueue(await self._list(kind, namespace))
        self._enqueue(self.store.boards())
        self.metrics.synced.set_to_current_time()
        self.synced.set()

    async def _list(self, kind: Kind, namespace: str | None) -> frozenset[Key]:
        """Take in all of a kind, a page at a time; returns the boards concerned."""
        concerned: set[Key] = set()
        listed: set[Key] = set()
        version = ""
        async for page in self.kube.pages(kind, namespace, selector(kind)):
            self.watches.listed((kind, namespace), page.items)
            concerned.update(*(self.store.put(kind, obj) for obj in page.items))
            listed.update(map(key_of, page.items))
            version = page.resource_version
        return self.store.retain(kind, namespace, listed, version) | concerned

    async def first_sync(self) -> bool:
        """List everything once, however long the API server or the CRDs take to appear; True once it is done."""
        while True:
            try:
                await self.sync()
            except NotFoundError as error:
                _log.warning("can't list: %s; are the CRDs installed (kubectl apply --server-side -k crds)?", error)
            except KubeError as error:
                _log.warning("can't list: %s (HTTP %d)", error, error.status)
            else:
                return True
            await asyncio.sleep(_RETRY_SECONDS)

    async def resync(self) -> None:
        """List everything again and again, for what no watch reports; never returns."""
        while True:
            await asyncio.sleep(self.resync_seconds)
            try:
                await self.sync()
            except KubeError as error:
                _log.warning("resync: %s (HTTP %d)", error, error.status)

    def _enqueue(self, boards: frozenset[Key] | set[Key]) -> None:
        for board in sorted(boards):
            self.queue.add(board)


class _NoEssence(kopf.DiffBaseStorage):
    """Kopf copies each object to find out what changed since it was handled; we look at what is instead."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        return kopf.BodyEssence()

    def fetch(self, **_: Any) -> kopf.BodyEssence | None:
        return None

    def store(self, **_: Any) -> None:
        return


def settings() -> kopf.OperatorSettings:
    """Kopf's settings: watches by label, no peering, no Events or annotations of its own."""
    settings = kopf.OperatorSettings()
    settings.scanning.disabled = True
    settings.posting.enabled = False
    settings.posting.loggers = False
    settings.peering.standalone = True
    settings.persistence.diffbase_storage = _NoEssence()
    settings.persistence.progress_storage = kopf.MultiProgressStorage([])
    settings.networking.request_timeout = 60
    settings.networking.connect_timeout = 10
    settings.process.ultimate_exiting_timeout = 60
    # Kopf runs a task for each object and keeps it for 5 s: after its first list that is one for everything there is.
    settings.queueing.idle_timeout = _KOPF_IDLE_SECONDS
    settings.queueing.exit_timeout = 0.1  # our own queue holds the work; Kopf only passes events on
    for kind in WATCHED:
        if labels := selector(kind):
            settings.watching.label_selectors[kind.group, kind.version, kind.plural] = labels
    return settings
