"""Kopf as informer: each watch event goes into the cache, and the boards that it concerns into the queue.

Kopf does not report what was deleted before its own list, neither the first nor one after a broken watch. So after each
list of Kopf's the informer lists once more; later deletions come by the watch. Everything is listed again at intervals.
The coordinator, which has no Kopf and few objects, uses kube/reflector.py.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import kopf
from kubernetes.aio.client.configuration import Configuration

from boardroom.controller.serving.metrics import Metrics
from boardroom.controller.watch.cache import Store
from boardroom.controller.watch.kopf_session import login
from boardroom.controller.watch.queue import WorkQueue
from boardroom.controller.watch.watches import Watch, Watches
from boardroom.kube.client import RETRY_SECONDS
from boardroom.kube.errors import KubeError, NotFoundError, RefusedError
from boardroom.kube.kinds import BOARDROOM, CLUSTER_SCOPED, WATCHED, Key, Kind, key_of, selector, version_of
from boardroom.kube.protocol import Kube, Selection

_log = logging.getLogger(__name__)
_KOPF_IDLE_SECONDS: Final = 0.05
_KOPF_RETRIES: Final = (1, 1, 2, 3, 5)
"""Seconds before each retry of Kopf's, repeated for ever: short, so that recovery is noticed soon."""
_ABSENT_SECONDS: Final = 10.0
"""Between two tries to list a namespace that was left out."""


class NamespaceAppearedError(Exception):
    """A namespace that was left out can be listed now; Kopf takes no more namespaces while it runs, so restart."""


@dataclass
class Informer:
    """Keeps the cache current and adds boards to the queue."""

    kube: Kube
    store: Store
    queue: WorkQueue[Key]
    metrics: Metrics
    watches: Watches
    namespaces: Sequence[str] = ()
    """The watched namespaces; empty: all. `wait_until_listable` leaves out those that can't be listed."""
    absent: set[str] = field(default_factory=set)
    """Namespaces that can't be listed: deleted, not created yet, or forbidden."""
    resync_seconds: float = 600.0
    synced: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once everything is listed and every watch runs; no board is reconciled before."""
    _due: WorkQueue[Watch] = field(init=False)
    """The watches to list."""
    _unlisted: set[Watch] = field(init=False)
    """The watches that this resync has not listed yet."""
    _unserved: set[Watch] = field(default_factory=set)
    """The watches whose kind is not served now."""
    _all_listed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while `_unlisted` is empty."""

    def __post_init__(self) -> None:
        self._due = WorkQueue(asyncio.get_running_loop().call_later)
        self._unlisted = set(self.watched)

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The watched kinds; rights in some namespaces include no cluster-scoped objects."""
        return tuple(kind for kind in WATCHED if kind not in CLUSTER_SCOPED) if self.namespaces else WATCHED

    @property
    def watched(self) -> list[Watch]:
        """Every watch of Kopf's."""
        return [(kind, namespace) for kind in self.kinds for namespace in self.namespaces or (None,)]

    def registry(self, configuration: Configuration) -> kopf.OperatorRegistry:
        """Kopf's handlers: one per watched kind, none of which needs a finalizer or an annotation."""
        registry = kopf.OperatorRegistry()

        watched = {kind.path(namespace) for kind, namespace in self.watched}

        async def log_in(**_: Any) -> kopf.AiohttpSession:
            return await login(configuration, self.on_kopf_listed, watched)

        kopf.on.login(id="login", registry=registry)(log_in)
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
        """Kopf has listed, so that its watch reports the deletion of everything that we list from now on.

        Also called if the kind is not served: our own list then fails too, and is retried until the kind is served.
        """
        for kind, namespace in self.watched:
            if path == kind.path(namespace):
                self._due.add((kind, namespace))

    def on_event(self, kind: Kind, type_: str | None, obj: dict[str, Any]) -> None:
        """Handle one watch event of type ADDED, MODIFIED or DELETED; None: an object of Kopf's first list."""
        self.metrics.events.labels(kind.name).inc()
        self.watches.delivered((kind, obj["metadata"].get("namespace") if self.namespaces else None), obj)
        concerned = self.store.remove(kind, obj) if type_ == "DELETED" else self.store.put(kind, obj)
        self._enqueue(concerned)

    async def wait_until_listable(self) -> bool:
        """Wait until every kind can be listed, however long the API server or the CRDs take; then True.

        Kopf discovers its kinds only once. Its watches must deliver from now on what is listed here. A namespace that
        can't be listed is left out, so that the boards of the others do not wait for it.
        """
        while True:
            try:
                await self._leave_out_refused()
                for kind, namespace in self.watched:
                    page = await anext(self.kube.pages(kind, Selection(namespace=namespace, labels=selector(kind))))
                    self.watches.listed((kind, namespace), max(map(version_of, page.items), default=0))
            except NotFoundError as error:
                _log.warning("can't list: %s; are the CRDs installed (kubectl apply --server-side -k crds)?", error)
            except KubeError as error:
                _log.warning("can't list: %s (HTTP %d)", error, error.status)
            else:
                return True
            await asyncio.sleep(RETRY_SECONDS)

    async def _leave_out_refused(self) -> None:
        """Leave out the namespaces that can't be listed; raises KubeError if that is all of them."""
        refused: dict[str, RefusedError] = {}
        for namespace in self.namespaces:
            try:
                await anext(self.kube.pages(BOARDROOM, Selection(namespace=namespace)))
            except RefusedError as error:
                refused[namespace] = error
        if refused and len(refused) == len(self.namespaces):
            raise next(iter(refused.values()))
        for namespace, refusal in refused.items():
            _log.warning("namespace %s is left out until it can be listed: %s", namespace, refusal)
        self.absent |= refused.keys()
        self.namespaces = [namespace for namespace in self.namespaces if namespace not in refused]
        self._unlisted = set(self.watched)

    async def watch_absent_namespaces(self) -> None:
        """Raise NamespaceAppearedError once a namespace that was left out can be listed; never returns."""
        while True:
            await asyncio.sleep(_ABSENT_SECONDS)
            for namespace in sorted(self.absent):
                try:
                    await anext(self.kube.pages(BOARDROOM, Selection(namespace=namespace)))
                except KubeError:
                    continue
                raise NamespaceAppearedError(f"namespace {namespace} can be listed now: ending, to start again with it")

    async def run(self) -> None:
        """List each watch that is due, for ever."""
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
        """The kind is not served any more, so its objects are deleted."""
        if watch not in self._unserved:
            _log.warning(
                "%s are not served: was the CRD deleted? They are listed again until they are", watch[0].plural
            )
        self._unserved.add(watch)
        self._enqueue(self.store.forget(*watch))
        self._due.add_after(watch, RETRY_SECONDS)

    def _is_left_out(self, watch: Watch, error: KubeError) -> bool:
        """Whether the namespace of a refused list is left out, so that the rest counts as listed."""
        _, namespace = watch
        if namespace is None or not self.synced.is_set() or not isinstance(error, RefusedError):
            return False
        self.absent.add(namespace)
        self._on_listed(watch)
        return True

    async def resync(self) -> None:
        """List everything at intervals, for what no watch reports; never returns."""
        while True:
            await self._all_listed.wait()
            await asyncio.sleep(self.resync_seconds)
            self._all_listed.clear()
            self._unlisted = set(self.watched)
            for watch in self.watched:
                self._due.add(watch)

    async def _list(self, kind: Kind, namespace: str | None) -> None:
        """List one watch, page by page."""
        concerned: set[Key] = set()
        listed: set[Key] = set()
        newest, resource_version = 0, ""
        async for page in self.kube.pages(kind, Selection(namespace=namespace, labels=selector(kind))):
            concerned.update(*(self.store.put(kind, obj) for obj in page.items))
            listed.update(map(key_of, page.items))
            newest = max(newest, *map(version_of, page.items), 0)
            resource_version = page.resource_version
        self.watches.listed((kind, namespace), newest)
        self._enqueue(self.store.retain(kind, namespace, listed, resource_version) | concerned)

    def _on_listed(self, watch: Watch) -> None:
        """After the last list of a resync every board is reconciled."""
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
    """Kopf copies each object to diff it with the last handled version; a level-triggered reconcile needs no diff."""

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
    # By default Kopf keeps a task per object for 5 s, which after its first list is one for every object.
    settings.queueing.idle_timeout = _KOPF_IDLE_SECONDS
    settings.queueing.exit_timeout = 0.1  # the work is in our own queue
    for kind in WATCHED:
        if labels := selector(kind):
            settings.watching.label_selectors[kind.group, kind.version, kind.plural] = labels
    return settings
