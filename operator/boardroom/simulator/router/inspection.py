"""The simulator's own routes, which LoRAX does not have: what happens inside."""

from http import HTTPStatus
from urllib.parse import parse_qs

import msgspec
import orjson

from boardroom.simulator.errors import Rejection
from boardroom.simulator.faults import FaultError, convert_fault
from boardroom.simulator.router.engine import Engine
from boardroom.simulator.router.exchange import JSON, Exchange


async def steps(engine: Engine, exchange: Exchange) -> None:
    """GET /simulator/steps?since=N: the forward passes after number N, oldest first."""
    log = engine.shard.steps
    answer = {"last": log.last_id, "steps": [step.to_object() for step in log.since(_number(exchange, "since"))]}
    await exchange.respond(200, orjson.dumps(answer), JSON)


async def state(engine: Engine, exchange: Exchange) -> None:
    """GET /simulator/state: loaded, active and pending adapters, the queue, GPU-seconds so far."""
    await exchange.respond(200, orjson.dumps(engine.state()), JSON)


async def usage(engine: Engine, exchange: Exchange) -> None:
    """GET /simulator/usage?since=N: GPU-seconds in total, by adapter, and of each request after number N."""
    answer = {"gpu_seconds": engine.shard.steps.gpu_seconds} | engine.usage.since(_number(exchange, "since"))
    await exchange.respond(200, orjson.dumps(answer), JSON)


async def list_faults(engine: Engine, exchange: Exchange) -> None:
    """GET /simulator/faults: the active faults."""
    await exchange.respond(200, orjson.dumps([msgspec.to_builtins(fault) for fault in engine.faults]), JSON)


async def add_fault(engine: Engine, exchange: Exchange) -> None:
    """POST /simulator/faults: activate a fault; answers with it and its id."""
    try:
        fault = engine.faults.add(convert_fault(orjson.loads(await exchange.body())))
    except (orjson.JSONDecodeError, FaultError) as error:
        raise Rejection(HTTPStatus.BAD_REQUEST, str(error)) from error
    await exchange.respond(HTTPStatus.CREATED, orjson.dumps(msgspec.to_builtins(fault)), JSON)


async def remove_faults(engine: Engine, exchange: Exchange) -> None:
    """DELETE /simulator/faults, or ?id=N: remove all faults, or one."""
    fault_id = _number(exchange, "id") or None
    if not engine.faults.remove(fault_id) and fault_id is not None:
        raise Rejection(HTTPStatus.NOT_FOUND, f"there is no fault {fault_id}")
    await exchange.respond(HTTPStatus.NO_CONTENT)


def _number(exchange: Exchange, name: str) -> int:
    """Return a number of the query, 0 if it is missing; raises Rejection."""
    text = parse_qs(exchange.query()).get(name, ["0"])[-1]
    if not text.isdecimal():
        raise Rejection(HTTPStatus.BAD_REQUEST, f"{name} is {text!r}; it must be a number")
    return int(text)
