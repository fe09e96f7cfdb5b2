"""The operator's HTTP servers: liveness and readiness on one port, metrics on another."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

Check = Callable[[], str | None]
"""None if the check passes, else the reason."""


@dataclass
class Health:
    """The checks behind the probes; each stage of the start sets its own."""

    alive: Check = lambda: None
    ready: Check = lambda: "waits for the API server"

    def set_ready(self) -> None:
        """Readiness passes."""
        self.ready = lambda: None

    def not_ready(self, cause: str) -> None:
        """Readiness fails because of `cause`."""
        self.ready = lambda: cause

    def is_alive(self) -> str | None:
        """Why liveness fails; None if it passes."""
        return self.alive()

    def is_ready(self) -> str | None:
        """Why readiness fails; None if it passes."""
        return self.ready()


def health_app(alive: Check, ready: Check) -> web.Application:
    """GET /healthz and /readyz: 200, or 503 with the reason."""
    app = web.Application()
    app.router.add_get("/healthz", _probe(alive))
    app.router.add_get("/readyz", _probe(ready))
    return app


def metrics_app(registry: CollectorRegistry) -> web.Application:
    """GET /metrics."""

    async def metrics(_: web.Request) -> web.Response:
        page = await asyncio.to_thread(generate_latest, registry)
        return web.Response(body=page, headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    return app


async def serve(app: web.Application, host: str, port: int) -> tuple[web.AppRunner, int]:
    """Serve until the runner is cleaned up; returns it and its port, which the system picks for 0. Raises OSError."""
    # Without keep-alive: at shutdown Kopf would wait for the tasks of idle connections.
    runner = web.AppRunner(app, access_log=None, keepalive_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    await site.start()
    return runner, int(runner.addresses[0][1])


def _probe(check: Check) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def respond(_: web.Request) -> web.Response:
        problem = check()
        return web.Response(text=f"{problem or 'ok'}\n", status=503 if problem else 200)

    return respond
