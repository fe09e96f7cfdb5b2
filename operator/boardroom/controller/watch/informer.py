"""Kopf as informer: every watch event goes into the store, and the boards it concerns onto the queue.

Kopf never reports what vanished before its own list, be it the first or one after a broken watch. So whenever it has
listed, we list once more: what is deleted later, its watch tells. From time to time everything is listed anew.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import kopf

from boardroom.controller.serving.metrics import Metrics
from boardroom.controller.watch.cache import Store
from boardroom.controller.watch.queue import WorkQueue
from boardroom.controller.watch.watches import Watch, Watches
from boardroom.kube.client import RETRY_SECONDS, Kube, KubeError, NotFoundError, RefusedError
from boardroom.kube.connection import Connection
from boardroom.kube.kinds import BOARDROOM, CLUSTER_SCOPED, WATCHED, Key, Kind, key_of, selector, version_of

_log = logging.getLogger(__name__)
_KOPF_IDLE_SECONDS: Final = 0.05
_KOPF_RETRIES: Final = (1, 1, 2, 3, 5)
"""Seconds after which Kopf tries again what fails, over and over: what comes back is seen soon."""
_ABSENT_SECONDS: Final = 10.0
"""How often it is tried whether a namespace that was left out can be looked at."""


class NamespaceAppearedError(Exception):
    """A namespace that was left out can be looked at; Kopf takes in no more while it runs, so it must run anew."""


@dataclass
class Informer:
    """Keeps the store true and the queue fed."""

    kube: Kube
    store: Store
    queue: WorkQueue[Key]
    metrics: Metrics
    watches: Watches
    namespaces: Sequence[str] = ()
    """The namespaces to look at; none means all. `reachable` leaves out those that it can't."""
    absent: set[str] = field(default_factory=set)
    """Namespaces that can't be looked at: deleted, not made yet, or without our rights."""
    resync_seconds: float = 600.0
    synced: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once everything is known and every watch stands; no board is looked at before."""
    _due: WorkQueue[Watch] = field(init=False)
    """What is to be listed."""
    _unlisted: set[Watch] = field(init=False)
    """What is still to be listed until everything has been."""
    _unserved: set[Watch] = field(default_factory=set)
    """What is not served just now."""
    _all_listed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while nothing is."""

    def __post_init__(self) -> None:
        self._due = WorkQueue(asyncio.get_running_loop().call_later)
        self._unlisted = set(self.watched)

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What is watched; rights in some namespaces give none to cluster-scoped objects."""
        return tuple(kind for kind in WATCHED if kind not in CLUSTER_SCOPED) if self.namespaces else WATCHED

    @property
    def watched(self) -> list[Watch]:
        """Each watch that Kopf is to hold."""
        return [(kind, namespace) for kind in self.kinds for namespace in self.namespaces or (None,)]

    def registry(self, connection: Connection) -> kopf.OperatorRegistry:
        """Kopf's handlers: one for each watched kind, and nothing that would need a finalizer or an annotation."""
        registry = kopf.OperatorRegistry()

        async def login(**_: Any) -> kopf.AiohttpSession:
            return await connection.login(
                self.on_kopf_listed, {kind.path(namespace) for kind, namespace in self.watched}
            )

        kopf.on.login(id="login", registry=registry)(login)
        for kind in self.kinds:
            kopf.on.event(
                group=kind.group, version=kind.version, plural=kind.plural, id=kind.plural, registry=registry
            )(self._handler(kind))
        return registry

    def _handler(self, kind: Kind) -> Any:
        def handle(event: kopf.RawEvent, **_: Any) -> None:
            self.on_event(kind, event["type"], dict(event["object"]))

        async def handler(event: kopf.RawEvent, **_: Any) -> None:
            handle(event)

        return handler

    def on_kopf_listed(self, path: str) -> None:
        """Kopf has got a list: what ours shows from now on, its watch will tell the end of. Or it has got none, because
        the kind is not served: ours finds out too, and again until it is.
        """
        for kind, namespace in self.watched:
            if path == kind.path(namespace):
                self._due.add((kind, namespace))

    def on_event(self, kind: Kind, type_: str | None, obj: dict[str, Any]) -> None:
        """Take in one watch event: type ADDED, MODIFIED, DELETED, or None for an object of Kopf's first list."""
        self.metrics.events.labels(kind.name).inc()
        self.watches.delivered((kind, obj["metadata"].get("namespace") if self.namespaces else None), obj)
        concerned = self.store.remove(kind, obj) if type_ == "DELETED" else self.store.put(kind, obj)
        self._enqueue(concerned)

    async def wait_until_listable(self) -> bool:
        """Wait until everything can be listed, however long the API server or the CRDs take to appear; then True.

        Kopf looks for its kinds only once, and what is there is owed by its watches from now on. Of several namespaces
        one that can't be looked at does not keep the others' boards waiting.
        """
        while True:
            try:
                await self._leave_out_refused()
                for kind, namespace in self.watched:
                    page = await anext(self.kube.pages(kind, namespace, selector(kind)))
                    self.watches.listed((kind, namespace), max(map(version_of, page.items), default=0))
            except NotFoundError as error:
                _log.warning("can't list: %s; are the CRDs installed (kubectl apply --server-side -k crds)?", error)
            except KubeError as error:
                _log.warning("can't list: %s (HTTP %d)", error, error.status)
            else:
                return True
            await asyncio.sleep(RETRY_SECONDS)

    async def _leave_out_refused(self) -> None:
        """Look at those namespaces only that can be looked at; raises KubeError where that is none."""
        refused: dict[str, RefusedError] = {}
        for namespace in self.namespaces:
            try:
                await anext(self.kube.pages(BOARDROOM, namespace))
            except RefusedError as error:
                refused[namespace] = error
        if refused and len(refused) == len(self.namespaces):
            raise next(iter(refused.values()))
        for namespace, refusal in refused.items():
            _log.warning("namespace %s is left out until it can be looked at: %s", namespace, refusal)
        self.absent |= refused.keys()
        self.namespaces = [namespace for namespace in self.namespaces if namespace not in refused]
        self._unlisted = set(self.watched)

    async def watch_absent_namespaces(self) -> None:
        """Raises NamespaceAppearedError once a namespace that was left out can be looked at; never returns."""
        while True:
            await asyncio.sleep(_ABSENT_SECONDS)
            for namespace in sorted(self.absent):
                try:
                    await anext(self.kube.pages(BOARDROOM, namespace))
                except KubeError:
                    continue
                raise NamespaceAppearedError(f"namespace {namespace} can be looked at: ending, to begin anew with it")

    async def run(self) -> None:
        """List what is due, for ever."""
        while True:
            watch = await self._due.get()
            try:
                await self._list(*watch)
            except NotFoundError:
                self._on_not_served(watch)
            except KubeError as error:
                _log.warning("can't list %s: %s (HTTP %d)", watch[0].plural, error, error.status)
                if not self._is_left_out(watch, error):
                    self._due.add_after(watch, RETRY_SECONDS)
            else:
                self._on_listed(watch)
            finally:
                self._due.done(watch)

    def _on_not_served(self, watch: Watch) -> None:
        """The kind is not served any more, so its objects are gone."""
        if watch not in self._unserved:
            _log.warning("%s are not served: was the CRD deleted? They are looked for until they are", watch[0].plural)
        self._unserved.add(watch)
        self._enqueue(self.store.forget(*watch))
        self._due.add_after(watch, RETRY_SECONDS)

    def _is_left_out(self, watch: Watch, error: KubeError) -> bool:
        """Whether what can't be listed is of one namespace of several: the rest is listed all the same."""
        _, namespace = watch
        if namespace is None or not self.synced.is_set() or not isinstance(error, RefusedError):
            return False
        self.absent.add(namespace)
        self._on_listed(watch)
        return True

    async def resync(self) -> None:
        """Have everything listed again and again, for what no watch reports; never returns."""
        while True:
            await self._all_listed.wait()
            await asyncio.sleep(self.resync_seconds)
            self._all_listed.clear()
            self._unlisted = set(self.watched)
            for watch in self.watched:
                self._due.add(watch)

    async def _list(self, kind: Kind, namespace: str | None) -> None:
        """Take in all of a kind, a page at a time."""
        concerned: set[Key] = set()
        listed: set[Key] = set()
        newest, resource_version = 0, ""
        async for page in self.kube.pages(kind, namespace, selector(kind)):
            concerned.update(*(self.store.put(kind, obj) for obj in page.items))
            listed.update(map(key_of, page.items))
            newest = max(newest, *map(version_of, page.items), 0)
            resource_version = page.resource_version
        self.watches.listed((kind, namespace), newest)
        self._enqueue(self.store.retain(kind, namespace, listed, resource_version) | concerned)

    def _on_listed(self, watch: Watch) -> None:
        """The last of a round has every board looked at."""
        if watch in self._unserved:
            self._unserved.remove(watch)
            _log.info("%s are served again", watch[0].plural)
        if watch not in self._unlisted:
            return
        self._unlisted.remove(watch)
        if not self._unlisted:
            self.metrics.synced.set_to_current_time()
            self._all_listed.set()
            self.synced.set()
            self._enqueue(self.store.boards())

    def _enqueue(self, boards: frozenset[Key] | set[Key]) -> None:
        if self.synced.is_set():
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
    settings.networking.error_backoffs = _KOPF_RETRIES
    settings.process.ultimate_exiting_timeout = 60
    # Kopf runs a task for each object and keeps it for 5 s: after its first list that is one for everything there is.
    settings.queueing.idle_timeout = _KOPF_IDLE_SECONDS
    settings.queueing.exit_timeout = 0.1  # our own queue holds the work; Kopf only passes events on
    for kind in WATCHED:
        if labels := selector(kind):
            settings.watching.label_selectors[kind.group, kind.version, kind.plural] = labels
    return settings
