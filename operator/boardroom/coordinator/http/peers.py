"""POST /peers on the metrics port, for the board's other coordinators."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from boardroom.coordinator.errors import ApiError
from boardroom.coordinator.http.requests import header_fields, read_body
from boardroom.coordinator.peers.membership import Peers


def peers_handler(peers: Peers | None) -> Callable[[Request], Awaitable[Response]]:
    """The handler of POST /peers. 403: the address is no coordinator of this board, or this one is standalone."""

    async def handler(request: Request) -> Response:
        if peers is None or request.client is None or not peers.knows(request.client.host):
            return PlainTextResponse("not a coordinator of this board\n", HTTPStatus.FORBIDDEN)
        try:
            status, body = await peers.answer(
                await read_body(request.scope, request.receive, header_fields(request.scope))
            )
        except ApiError as problem:
            return Response(problem.body(), problem.status, media_type="application/json")
        return Response(body, status, media_type="application/json")

    return handler
