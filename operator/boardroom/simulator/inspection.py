"""The simulator's own routes, outside LoRAX's surface: what a real server would never tell."""

from http import HTTPStatus
from urllib.parse import parse_qs

import orjson

from boardroom.simulator.engine import Engine
from boardroom.simulator.errors import Rejection
from boardroom.simulator.exchange import JSON, Exchange


async def steps(engine: Engine, exchange: Exchange) -> None:
    """GET /simulator/steps?since=N: the engine's steps after step N, oldest first."""
    since = parse_qs(exchange.query()).get("since", ["0"])[-1]
    if not since.isdecimal():
        raise Rejection(HTTPStatus.BAD_REQUEST, f"since is {since!r}; it must be the id of a step")
    log = engine.shard.steps
    answer = {"last": log.last_id, "steps": [step.to_object() for step in log.since(int(since))]}
    await exchange.respond(200, orjson.dumps(answer), JSON)


async def state(engine: Engine, exchange: Exchange) -> None:
    """GET /simulator/state: loaded, active and pending adapters, the queue, GPU-seconds so far."""
    await exchange.respond(200, orjson.dumps(engine.state()), JSON)
