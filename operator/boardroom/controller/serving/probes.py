"""The operator's own HTTP: liveness and readiness on one port, metrics on another."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

Check = Callable[[], str | None]
"""None when all is well, else what is wrong."""


@dataclass
class Health:
    """What the probes are told; each stage of the start puts its own checks in."""

    alive: Check = lambda: None
    ready: Check = lambda: "waits for the API server"

    def not_ready(self, cause: str) -> None:
        """Not ready yet."""
        self.ready = lambda: cause

    def is_alive(self) -> str | None:
        """What liveness lacks now."""
        return self.alive()

    def is_ready(self) -> str | None:
        """What readiness lacks now."""
        return self.ready()


def health_app(alive: Check, ready: Check) -> web.Application:
    """GET /healthz and /readyz: 200, or 503 with what is wrong."""
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
    """Serve until the runner is cleaned up; returns the port, which the system picks for 0. Raises OSError."""
    # No idle connections: at the end Kopf would wait for their tasks.
    runner = web.AppRunner(app, access_log=None, keepalive_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    await site.start()
    return runner, int(runner.addresses[0][1])


def _probe(check: Check) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(_: web.Request) -> web.Response:
        problem = check()
        return web.Response(text=f"{problem or 'ok'}\n", status=503 if problem else 200)

    return answer
