"""The manager of the operator that leads: wires its parts together and runs them until it is stopped."""

import asyncio
import gc
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

import kopf
from kubernetes.aio.client.configuration import Configuration

from boardroom.controller.apply.bindings import Bindings
from boardroom.controller.apply.children import Children
from boardroom.controller.events import Recorder
from boardroom.controller.operator_leases import OperatorLeases
from boardroom.controller.options import Options
from boardroom.controller.ownership import Ownership
from boardroom.controller.plan.blueprint import Image
from boardroom.controller.rate_limiter import RateLimiter
from boardroom.controller.reconcile import Reconciler
from boardroom.controller.rollouts import Rollouts, unfinished
from boardroom.controller.serving.metrics import Metrics
from boardroom.controller.serving.probes import Health
from boardroom.controller.shutdown import stop_on_signals, unless_stopped
from boardroom.controller.status.coordinator_leases import CoordinatorLeases
from boardroom.controller.status.coordinator_status import CoordinatorStatus
from boardroom.controller.status_writer import StatusWriter
from boardroom.controller.watch.cache import Store
from boardroom.controller.watch.informer import Informer, settings
from boardroom.controller.watch.queue import WorkQueue
from boardroom.controller.watch.watches import Watches
from boardroom.controller.watch.workers import Workers
from boardroom.kube.kinds import BOARDROOM, Key
from boardroom.kube.protocol import Kube

_log = logging.getLogger(__name__)
_COLLECT_AFTER: Final = 10_000
"""Containers made and not freed before a collection."""
_DRAIN_SECONDS: Final = 20.0


@dataclass(frozen=True)
class Manager:
    """The parts of an operator that leads."""

    options: Options
    configuration: Configuration
    metrics: Metrics
    health: Health
    stop: asyncio.Event
    image: Image
    instance: str
    """Name of this operator in Events."""
    now: Callable[[], datetime]

    async def run(self, kube: Kube) -> None:
        """Reconcile until `stop` is set."""
        loop, store = asyncio.get_running_loop(), Store()
        queue: WorkQueue[Key] = WorkQueue(loop.call_later)
        recorder = Recorder(kube, self.now, self.instance)
        ownership = Ownership(
            kube,
            store,
            OperatorLeases(kube, time.monotonic, self.options.takeover_seconds),
            recorder,
            self.now,
            self.options.lease_namespace,
        )
        reconciler = Reconciler(
            store=store,
            children=Children(kube, store),
            bindings=Bindings(kube=kube, store=store, clusterwide=not self.options.namespaces),
            status=StatusWriter(kube=kube, store=store, recorder=recorder, now=self.now),
            coordinator_status=CoordinatorStatus(kube, store, CoordinatorLeases(kube, time.monotonic), self.now),
            rollouts=Rollouts(
                clock=time.monotonic,
                wake=queue.add,
                unfinished=lambda: unfinished(filter(ownership.is_ours, store.of_kind(BOARDROOM))),
                at_once=self.options.rollouts_at_once,
            ),
            rate_limiter=RateLimiter(),
            ownership=ownership,
            recorder=recorder,
            defaults=self.options.defaults,
            image=self.image,
            now=self.now,
            on_conditions=self.metrics.board,
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
            return "; ".join([*stuck, *informer.watches.stale()]) or None

        def ready() -> str | None:
            return None if informer.synced.is_set() else "waits until every object is known and every watch stands"

        self.health.alive, self.health.ready = alive, ready
        self.metrics.leader.set(1)
        self.metrics.resync.set(self.options.resync_seconds)
        await self._run(informer, workers)
        await ownership.withdraw()

    async def _run(self, informer: Informer, workers: Workers) -> None:
        """Run Kopf until `stop` is set or a part fails; then finish the reconciles that are under way."""
        watching = asyncio.Event()
        if await unless_stopped(self.stop, informer.wait_until_listable()) is None:
            return
        _collect_seldom()
        # At its end Kopf cancels every task that began after it, so ours begin before.
        listing = (informer.run(), informer.resync(), informer.watch_absent_namespaces())
        lists = [asyncio.create_task(work, name="lists") for work in listing]
        tasks = [*workers.start(self.options.workers), *lists]
        signals = asyncio.create_task(_take_back_signals(watching, self.stop), name="signals")
        for task in tasks:  # a task that ends before the queue is shut down has failed
            task.add_done_callback(lambda _: self.stop.set())
        try:
            await kopf.operator(
                registry=informer.registry(self.configuration),
                settings=settings(),
                clusterwide=not informer.namespaces,
                namespaces=informer.namespaces,
                standalone=True,
                # Kopf's default asks for the user's name, and a container's numeric user has none.
                identity=cast("Any", self.instance),
                stop_flag=self.stop,
                ready_flag=watching,
            )
        finally:
            _log.info("stopping")
            workers.queue.shut_down()
            for task in (*lists, signals):
                task.cancel()
            _, late = await asyncio.wait(tasks, timeout=_DRAIN_SECONDS)
            for task in late:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
        for end in ends:
            if isinstance(end, Exception):
                raise end


def _collect_seldom() -> None:
    """Collect garbage seldom: imported modules stay, and reference counting frees the rest; cycles are rare."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER)


async def _take_back_signals(watching: asyncio.Event, stop: asyncio.Event) -> None:
    """Replace Kopf's signal handlers: stopped by those, Kopf waits 5 s for a task of its own that never ends."""
    await watching.wait()
    stop_on_signals(stop)
