"""`boardroom operator`: wires the rooms' parts together and runs them until it is told to stop."""

import asyncio
import gc
import logging
import signal
import socket
import time
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import kopf

from boardroom import __version__
from boardroom.api.meta import OPERATOR_HEALTH_PORT, OPERATOR_METRICS_PORT
from boardroom.api.settings import Defaults
from boardroom.controller.bindings import Bindings
from boardroom.controller.children import Children
from boardroom.controller.connection import Connection
from boardroom.controller.election import Election, FencedKube
from boardroom.controller.events import Recorder
from boardroom.controller.hearsay import Hearsay
from boardroom.controller.informer import Informer, settings
from boardroom.controller.kinds import BOARDROOM, POD, Key
from boardroom.controller.kubeclient import RETRY_SECONDS, Kube, KubeClient, KubeError, RefusedError
from boardroom.controller.leases import Leases
from boardroom.controller.metrics import Metrics
from boardroom.controller.plan.blueprint import Image
from boardroom.controller.probes import Check, health_app, metrics_app, serve
from boardroom.controller.queue import WorkQueue
from boardroom.controller.reconcile import Reconciler
from boardroom.controller.rollouts import Rollouts, unfinished
from boardroom.controller.schemas import Schemas
from boardroom.controller.store import Store
from boardroom.controller.watches import Watches
from boardroom.controller.workers import Workers

_log = logging.getLogger(__name__)
_COLLECT_AFTER: Final = 10_000
"""Containers made and not freed before a collection."""
_DRAIN_SECONDS: Final = 20.0
_CONTAINER: Final = "operator"
_PULL_POLICIES: Final = ("Always", "IfNotPresent", "Never")
_T = TypeVar("_T")


class StartError(Exception):
    """The operator can't start as it is configured; the message names what is missing."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """How the operator runs."""

    defaults: Defaults
    namespaces: tuple[str, ...] = ()
    kubeconfig: Path | None = None
    context: str | None = None
    host: str = "127.0.0.1"
    metrics_port: int = OPERATOR_METRICS_PORT
    health_port: int = OPERATOR_HEALTH_PORT
    workers: int = 8
    resync_seconds: float = 600.0
    watch_grace_seconds: float = 120.0
    """How long a watch may owe what a list has found before the operator counts as dead."""
    rollouts_at_once: int = 1
    """Boards whose pods are replaced at the same time where the reason is the operator's own."""
    lease_namespace: str | None = None
    """Where the Lease is by which one of several operators leads; None: this one does."""


@dataclass
class _Health:
    """What the probes are told; each stage of the start puts its own checks in."""

    alive: Check = lambda: None
    ready: Check = lambda: "waits for the API server"

    def waits(self, cause: str) -> None:
        """Not ready yet."""
        self.ready = lambda: cause

    def is_alive(self) -> str | None:
        return self.alive()

    def is_ready(self) -> str | None:
        return self.ready()


@dataclass(frozen=True)
class _Leader:
    """All that an operator needs to lead."""

    options: Options
    connection: Connection
    metrics: Metrics
    health: _Health
    stop: asyncio.Event
    image: Image
    instance: str

    async def lead(self, kube: Kube) -> None:
        """Reconcile until told to stop."""
        loop, store = asyncio.get_running_loop(), Store()
        queue: WorkQueue[Key] = WorkQueue(loop.call_later)
        reconciler = Reconciler(
            kube=kube,
            store=store,
            children=Children(kube, store),
            bindings=Bindings(kube=kube, store=store, clusterwide=not self.options.namespaces),
            hearsay=Hearsay(kube, store, Leases(kube, time.monotonic, _now), _now),
            rollouts=Rollouts(
                clock=time.monotonic,
                wake=queue.add,
                unfinished=lambda: unfinished(store.of_kind(BOARDROOM)),
                at_once=self.options.rollouts_at_once,
            ),
            recorder=Recorder(kube, _now, self.instance),
            defaults=self.options.defaults,
            image=self.image,
            now=_now,
            shown=self.metrics.board,
        )
        workers = Workers(queue, reconciler.reconcile, self.metrics, time.monotonic)
        informer = Informer(
            kube,
            store,
            queue,
            self.metrics,
            Watches(time.monotonic, self.options.watch_grace_seconds),
            namespaces=self.options.namespaces,
            resync_seconds=self.options.resync_seconds,
        )

        def alive() -> str | None:
            stuck = [f"the reconcile of {'/'.join(key)} hangs" for key in workers.stuck()]
            return "; ".join([*stuck, *informer.watches.dead()]) or None

        def ready() -> str | None:
            return None if informer.synced.is_set() else "waits until every object is known and every watch stands"

        self.health.alive, self.health.ready = alive, ready
        self.metrics.leader.set(1)
        self.metrics.resync.set(self.options.resync_seconds)
        await _run(self.options, self.connection, informer, workers, self.stop)


async def run(options: Options, env: Mapping[str, str]) -> None:
    """Run until SIGTERM or SIGINT.

    Raises StartError, ConnectionConfigError, KubeError or OSError when it can't start, and LeadershipLostError when
    another operator has taken over.
    """
    metrics, health, stop = Metrics(), _Health(), asyncio.Event()
    _stop_on_signals(stop)
    async with AsyncExitStack() as stack:
        connection = await Connection.open(options.kubeconfig, options.context)
        stack.push_async_callback(connection.close)
        kube = KubeClient(connection.configuration, observe=metrics.request)
        stack.push_async_callback(kube.close)
        await _serve(stack, options, health, metrics)
        image = await _before(stop, _patiently(lambda: own_image(kube, env)))
        if image is None:
            return
        _log.info("boardroom operator %s at %s, own image %s", __version__, connection.configuration.host, image.name)
        if await _before(stop, Schemas(kube, health.waits).fit()) is None:
            return
        name = env.get("POD_NAME") or _hostname()
        leader = _Leader(options, connection, metrics, health, stop, image, name)
        if options.lease_namespace is None:
            await leader.lead(kube)
        else:
            identity = f"{name}_{uuid.uuid4().hex[:8]}"
            election = Election(kube, options.lease_namespace, identity, time.monotonic, _now)
            health.ready = lambda: None  # to take over
            if await _before(stop, election.acquire()):
                await _elected(election, stop, leader.lead(FencedKube(kube, election.leads)))
    _log.info("stopped")


async def _elected(election: Election, stop: asyncio.Event, leading: Coroutine[Any, Any, None]) -> None:
    """Lead for as long as the Lease is kept, and let go of it once nothing is written any more."""
    keeping = asyncio.create_task(election.keep(), name="lease")
    keeping.add_done_callback(lambda _: stop.set())
    try:
        await leading
    finally:
        keeping.cancel()
        (end,) = await asyncio.gather(keeping, return_exceptions=True)
        if not isinstance(end, Exception):
            await election.release()
    if isinstance(end, Exception):
        raise end


async def _patiently(work: Callable[[], Awaitable[_T]]) -> _T:
    """The result, however long the API server takes to be there; what it refuses is raised."""
    while True:
        try:
            return await work()
        except RefusedError:
            raise
        except KubeError as error:
            _log.warning("%s (HTTP %d); trying again", error, error.status)
        await asyncio.sleep(RETRY_SECONDS)


async def own_image(kube: Kube, env: Mapping[str, str]) -> Image:
    """The image that coordinators and sidecars run from: BOARDROOM_IMAGE, else the one of the pod that we run in."""
    policy = env.get("BOARDROOM_IMAGE_PULL_POLICY") or ""
    if policy and policy not in _PULL_POLICIES:
        raise StartError(f"BOARDROOM_IMAGE_PULL_POLICY={policy!r}: give one of {', '.join(_PULL_POLICIES)}")
    if name := env.get("BOARDROOM_IMAGE"):
        return Image(name=name, pull_policy=policy or "IfNotPresent")
    pod_name, namespace = env.get("POD_NAME"), env.get("POD_NAMESPACE")
    if not pod_name or not namespace:
        raise StartError(
            "BOARDROOM_IMAGE is not set: give the image of the operator's own version, which coordinators run from; "
            "inside a cluster POD_NAME and POD_NAMESPACE (downward API) do as well"
        )
    pod = await kube.get(POD, namespace, pod_name)
    containers = pod["spec"]["containers"] if pod else []
    own = next((c for c in containers if c["name"] == _CONTAINER), None)
    if own is None:
        raise StartError(f"pod {namespace}/{pod_name} has no container {_CONTAINER!r}: set BOARDROOM_IMAGE")
    return Image(name=own["image"], pull_policy=policy or own["imagePullPolicy"])


async def _serve(stack: AsyncExitStack, options: Options, health: _Health, metrics: Metrics) -> None:
    for what, app, port in (
        ("probes", health_app(health.is_alive, health.is_ready), options.health_port),
        ("metrics", metrics_app(metrics.registry), options.metrics_port),
    ):
        runner, bound = await serve(app, options.host, port)
        stack.push_async_callback(runner.cleanup)
        _log.info("serving %s on http://%s:%d", what, options.host, bound)


async def _run(
    options: Options, connection: Connection, informer: Informer, workers: Workers, stop: asyncio.Event
) -> None:
    """Let Kopf watch until a signal comes or a part fails; then finish what is being reconciled."""
    watching = asyncio.Event()
    if await _before(stop, informer.reachable()) is None:
        return
    _collect_seldom()
    # Kopf ends every task that began after itself, so ours begin before.
    lists = [asyncio.create_task(work, name="lists") for work in (informer.run(), informer.resync())]
    tasks = [*workers.start(options.workers), *lists]
    ours = asyncio.create_task(_take_back_signals(watching, stop), name="signals")
    for task in tasks:
        task.add_done_callback(lambda _: stop.set())  # none ends before the queue is shut down, unless it failed
    try:
        await kopf.operator(
            registry=informer.registry(connection),
            settings=settings(),
            clusterwide=not options.namespaces,
            namespaces=options.namespaces,
            standalone=True,
            # Kopf would ask for our user's name, and a container's numeric user has none.
            identity=cast("Any", _hostname()),
            stop_flag=stop,
            ready_flag=watching,
        )
    finally:
        _log.info("stopping")
        workers.queue.shut_down()
        for task in (*lists, ours):
            task.cancel()
        _, late = await asyncio.wait(tasks, timeout=_DRAIN_SECONDS)
        for task in late:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
    for end in ends:
        if isinstance(end, Exception):
            raise end


def _collect_seldom() -> None:
    """What is there now stays, and what comes and goes is freed by its count of references: cycles are rare."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER)


def _stop_on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)


async def _take_back_signals(watching: asyncio.Event, stop: asyncio.Event) -> None:
    """Kopf puts handlers of its own in place; stopped by those, it waits 5 s for a task of its own that never ends."""
    await watching.wait()
    _stop_on_signals(stop)


async def _before(stop: asyncio.Event, work: Coroutine[Any, Any, _T]) -> _T | None:
    """The result of the work, or None when told to stop meanwhile."""
    task, told = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait([task, told], return_when=asyncio.FIRST_COMPLETED)
    done = task.done()
    for pending in (task, told):
        pending.cancel()
    await asyncio.gather(task, told, return_exceptions=True)
    return task.result() if done else None


def _hostname() -> str:
    return socket.gethostname()


def _now() -> datetime:
    return datetime.now(UTC)
