"""`boardroom operator`: serves its probes, waits until it is the leader, and runs the manager until SIGTERM."""

import asyncio
import logging
import socket
import time
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any, TypeVar

from boardroom import __version__
from boardroom.api.meta import OPERATOR_MANAGER
from boardroom.controller.manager import Manager
from boardroom.controller.operator_leases import OPERATOR_LEASE
from boardroom.controller.options import Options
from boardroom.controller.own_image import own_image
from boardroom.controller.schemas import Schemas
from boardroom.controller.serving.metrics import Metrics
from boardroom.controller.serving.probes import Health, health_app, metrics_app, serve
from boardroom.controller.shutdown import stop_on_signals, unless_stopped
from boardroom.kube.client import RETRY_SECONDS, KubeClient
from boardroom.kube.connection import Connection
from boardroom.kube.election import LeaderElector
from boardroom.kube.errors import KubeError, RefusedError
from boardroom.kube.fenced import FencedKube

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


async def run(options: Options, env: Mapping[str, str]) -> None:
    """Run until SIGTERM or SIGINT.

    Raises StartError, ConnectionConfigError, KubeError or OSError when it can't start, LeadershipLostError when another
    operator has taken over, and NamespaceAppearedError when it must restart.
    """
    metrics, health, stop = Metrics(), Health(), asyncio.Event()
    stop_on_signals(stop)
    async with AsyncExitStack() as stack:
        connection = await Connection.open(options.kubeconfig, options.context)
        stack.push_async_callback(connection.close)
        kube = KubeClient(connection.configuration, OPERATOR_MANAGER, observe=metrics.request)
        stack.push_async_callback(kube.close)
        await _serve(stack, options, health, metrics)
        image = await unless_stopped(stop, _retry(lambda: own_image(kube, env)))
        if image is None:
            return
        _log.info("boardroom operator %s at %s, own image %s", __version__, connection.configuration.host, image.name)
        if await unless_stopped(stop, Schemas(kube, health.not_ready).wait_until_compatible()) is None:
            return
        name = env.get("POD_NAME") or socket.gethostname()
        manager = Manager(options, connection.configuration, metrics, health, stop, image, name, _now)
        if options.lease_namespace is None:
            await manager.run(kube)
        else:
            identity = f"{name}_{uuid.uuid4().hex[:8]}"
            elector = LeaderElector(kube, options.lease_namespace, OPERATOR_LEASE, identity, time.monotonic, _now)
            health.set_ready()  # to take over from the leader
            if await unless_stopped(stop, elector.acquire()):
                await _lead(elector, stop, manager.run(FencedKube(kube, elector.is_leader)))
    _log.info("stopped")


async def _lead(elector: LeaderElector, stop: asyncio.Event, managing: Coroutine[Any, Any, None]) -> None:
    """Run the manager while the Lease is renewed, and release the Lease once nothing is written any more."""
    renewing = asyncio.create_task(elector.renew(), name="lease")
    renewing.add_done_callback(lambda _: stop.set())
    try:
        await managing
    finally:
        renewing.cancel()
        (end,) = await asyncio.gather(renewing, return_exceptions=True)
        if not isinstance(end, Exception):
            await elector.release()
    if isinstance(end, Exception):
        raise end


async def _retry(work: Callable[[], Awaitable[_T]]) -> _T:
    """The result, however long the API server is away; a RefusedError is raised."""
    while True:
        try:
            return await work()
        except RefusedError:
            raise
        except KubeError as error:
            _log.warning("%s (HTTP %d); trying again", error, error.status)
        await asyncio.sleep(RETRY_SECONDS)


async def _serve(stack: AsyncExitStack, options: Options, health: Health, metrics: Metrics) -> None:
    for name, app, port in (
        ("probes", health_app(health.is_alive, health.is_ready), options.health_port),
        ("metrics", metrics_app(metrics.registry), options.metrics_port),
    ):
        runner, bound = await serve(app, options.host, port)
        stack.push_async_callback(runner.cleanup)
        _log.info("serving %s on http://%s:%d", name, options.host, bound)


def _now() -> datetime:
    return datetime.now(UTC)
