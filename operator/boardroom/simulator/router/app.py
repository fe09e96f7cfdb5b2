"""The ASGI application: routes, and errors as LoRAX answers them."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Final

import orjson
from starlette.types import Receive, Scope, Send

from boardroom.simulator.errors import LoraxError, Rejection
from boardroom.simulator.router import information, inspection, native, openai
from boardroom.simulator.router.engine import Engine
from boardroom.simulator.router.exchange import JSON, TEXT, ClientGone, Dropped, Exchange

_LOG = logging.getLogger(__name__)

Handler = Callable[[Engine, Exchange], Awaitable[None]]

MAX_HEADERS: Final = 100
MAX_HEAD_BYTES: Final = 8192 + 4096 * 100
"""The limits of hyper, LoRAX's HTTP server."""

ROUTES: Final[Mapping[str, Mapping[str, Handler]]] = {
    "/": {"POST": native.generate_either, "GET": information.health},
    "/generate": {"POST": native.generate_whole},
    "/generate_stream": {"POST": native.generate_stream},
    "/invocations": {"POST": native.generate_either},
    "/v1/completions": {"POST": openai.completions},
    "/v1/chat/completions": {"POST": openai.chat_completions},
    "/tokenize": {"POST": information.tokens},
    "/health": {"GET": information.health},
    "/ping": {"GET": information.health},
    "/info": {"GET": information.info},
    "/metrics": {"GET": information.metrics},
}
MAIN_BRANCH: Final[Mapping[str, Mapping[str, Handler]]] = {"/startup": {"GET": information.startup}}
"""Routes that came after the newest release."""
INSPECTION: Final[Mapping[str, Mapping[str, Handler]]] = {
    "/simulator/steps": {"GET": inspection.steps},
    "/simulator/state": {"GET": inspection.state},
    "/simulator/usage": {"GET": inspection.usage},
    "/simulator/faults": {
        "GET": inspection.list_faults,
        "POST": inspection.add_fault,
        "DELETE": inspection.remove_faults,
    },
}


class Application:
    """Serves a running engine."""

    def __init__(self, engine: Engine, *, inspect: bool = True) -> None:
        self._engine = engine
        newer = MAIN_BRANCH if engine.settings.lorax_version == "main" else {}
        self._routes = {**ROUTES, **newer, **(INSPECTION if inspect else {})}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"only HTTP is served, not {scope['type']}")
        exchange = Exchange(scope, receive, send)
        if _too_large(scope):
            await exchange.respond(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            return
        methods = self._routes.get(scope["path"])
        handler = methods.get("GET" if scope["method"] == "HEAD" else scope["method"]) if methods else None
        if methods is None:
            await exchange.respond(404)
        elif handler is None:
            await exchange.respond(405, headers=((b"allow", ",".join(methods).encode()),))
        else:
            await self._serve(handler, exchange)

    async def _serve(self, handler: Handler, exchange: Exchange) -> None:
        try:
            await handler(self._engine, exchange)
        except LoraxError as error:
            _LOG.info("%s", error.message)
            body = orjson.dumps({"error": error.message, "error_type": error.error_type})
            await exchange.respond(error.status, body, JSON)
        except Rejection as rejection:
            await exchange.respond(rejection.status, rejection.message.encode(), TEXT)
        except Dropped:
            await exchange.tear()
        except ClientGone:
            _LOG.info("a client disconnected before its answer")


def _too_large(scope: Scope) -> bool:
    """Whether hyper would refuse the request's head, which it checks before the route."""
    headers = scope["headers"]
    size = len(scope["path"]) + sum(len(name) + len(value) + len(": \r\n") for name, value in headers)
    return size > MAX_HEAD_BYTES or len(headers) > MAX_HEADERS
