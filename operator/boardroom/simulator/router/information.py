"""LoRAX's routes that generate nothing: /health, /info, /metrics, /startup, /tokenize."""

from typing import Annotated, Any

import msgspec
import orjson

from boardroom.simulator.entry import Entry
from boardroom.simulator.errors import LoraxError, StartupError
from boardroom.simulator.router.bodies import read_body
from boardroom.simulator.router.engine import Engine
from boardroom.simulator.router.exchange import JSON, Exchange, Waiter
from boardroom.simulator.router.metrics_json import families
from boardroom.simulator.router.request import Parameters
from boardroom.simulator.router.validation import Prompt


class TokenizeRequest(msgspec.Struct):
    """POST /tokenize."""

    inputs: str
    add_special_tokens: Annotated[bool | None, msgspec.Meta(description="true when absent")] = None


async def health(engine: Engine, exchange: Exchange) -> None:
    """GET /health: knows nothing of load or adapters, and waits for the model server's call in progress
    (docs/lorax.md#shallow-health).
    """
    await engine.shard.health()
    await exchange.respond(200)


async def startup(engine: Engine, exchange: Exchange) -> None:
    """GET /startup of LoRAX's main branch: generates a token of the base model, which queues like any other request.

    Like any adapter that is not active, the base model may evict an idle one. Raises StartupError.
    """
    waiter = Waiter(exchange)
    entry: Entry | None = None
    try:
        entry = engine.submit(Prompt("Who?"), Parameters(max_new_tokens=1), on_change=waiter.notify)
        while not entry.done:
            await waiter.wait()
    except LoraxError as error:
        raise StartupError(error.message, error.error_type) from error
    finally:
        waiter.close()
        if entry is not None:
            engine.release(entry)
    if entry.error is not None:
        raise StartupError(entry.error.message, entry.error.error_type)
    await exchange.respond(200)


async def info(engine: Engine, exchange: Exchange) -> None:
    """GET /info."""
    await exchange.respond(200, orjson.dumps(_info(engine)), JSON)


async def metrics(engine: Engine, exchange: Exchange) -> None:
    """GET /metrics: Prometheus text; on the main branch JSON, if the client accepts it.

    LoRAX documents `?format=json` too, but its parsing of the query never succeeds.
    """
    page = engine.metrics.page()
    if engine.settings.lorax_version == "main" and "application/json" in (exchange.header(b"accept") or ""):
        await exchange.respond(200, orjson.dumps(families(page)), JSON)
    else:
        await exchange.respond(200, page.encode(), b"text/plain")


async def tokens(engine: Engine, exchange: Exchange) -> None:
    """POST /tokenize."""
    request = await read_body(exchange, TokenizeRequest)
    spans = engine.tokenizer.spans(request.inputs, special=request.add_special_tokens is not False)
    await exchange.respond(200, orjson.dumps([span._asdict() for span in spans]), JSON)


def _info(engine: Engine) -> dict[str, Any]:
    settings = engine.settings
    return {
        "model_id": settings.model_id,
        "model_sha": None,
        "model_dtype": f"torch.{settings.dtype}",
        "model_device_type": "cuda",
        "model_pipeline_tag": "text-generation",
        "max_concurrent_requests": settings.max_concurrent_requests,
        "max_best_of": settings.max_best_of,
        "max_stop_sequences": settings.max_stop_sequences,
        "max_input_length": settings.max_input_length,
        "max_total_tokens": settings.max_total_tokens,
        "waiting_served_ratio": settings.waiting_served_ratio,
        "max_batch_total_tokens": settings.batch_limits.max_batch_total_tokens,
        "max_waiting_tokens": settings.max_waiting_tokens,
        "validation_workers": settings.validation_workers,
        "eager_prefill": settings.eager_prefill,
        "version": "0.1.0",
        "sha": None,
        "docker_label": None,
        "request_logger_url": None,
    }
