"""The client's requests, and the results of responses; a small HTTP server stands in for the API server."""

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from aiohttp import web
from kubernetes.aio.client.configuration import Configuration

from boardroom.api.meta import OPERATOR_MANAGER
from boardroom.controller.serving.probes import serve
from boardroom.kube.client import KubeClient
from boardroom.kube.errors import (
    ConflictError,
    ExpiredError,
    KubeError,
    NamespaceTerminatingError,
    NotFoundError,
    RefusedError,
    WebhookError,
)
from boardroom.kube.kinds import DEPLOYMENT, EVENT, SERVICE, TOKEN_REVIEW, Kind
from boardroom.kube.protocol import Selection

MANIFEST = {"metadata": {"name": "a", "namespace": "team"}}


class Server:
    """Answers every request from a list, and keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, Any, dict[str, str]]] = []
        self.asked: list[tuple[str, str, Any]] = []
        self.headers: list[dict[str, str]] = []

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.answer)
        return app

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else None
        self.asked.append((request.method, request.path_qs, body))
        self.headers.append(dict(request.headers))
        status, content, headers = self.answers.pop(0)
        if isinstance(content, str):
            return web.Response(status=status, text=content, headers=headers)
        return web.json_response(content, status=status, headers=headers)


@pytest.fixture
async def server() -> Server:
    return Server()


@pytest.fixture
async def seen() -> list[tuple[str, str, int]]:
    return []


@pytest.fixture
async def client(server: Server, seen: list[tuple[str, str, int]]) -> AsyncIterator[KubeClient]:
    runner, port = await serve(server.app(), "127.0.0.1", 0)

    def observe(verb: str, kind: Kind, status: int) -> None:
        seen.append((verb, kind.name, status))

    configuration = Configuration(host=f"http://127.0.0.1:{port}", api_key={"BearerToken": "Bearer secret"})
    client = KubeClient(configuration, OPERATOR_MANAGER, observe=observe)
    yield client
    await client.close()
    await runner.cleanup()


async def test_apply_is_a_forced_server_side_apply_under_our_name(server: Server, client: KubeClient) -> None:
    server.answers = [(200, {}, {})]
    await client.apply(DEPLOYMENT, MANIFEST)
    path = "/apis/apps/v1/namespaces/team/deployments/a?fieldManager=boardroom-operator&force=true"
    assert server.asked == [("PATCH", path, MANIFEST)]
    headers = server.headers[0]
    assert headers["Content-Type"] == "application/apply-patch+yaml; charset=utf-8"
    assert headers["Authorization"] == "Bearer secret"
    assert headers["User-Agent"].startswith("boardroom-operator/")


async def test_a_status_is_applied_at_its_subresource(server: Server, client: KubeClient) -> None:
    server.answers = [(200, {}, {})]
    await client.apply_status(SERVICE, MANIFEST)
    path = "/api/v1/namespaces/team/services/a/status?fieldManager=boardroom-operator&force=true"
    assert server.asked == [("PATCH", path, MANIFEST)]


async def test_a_delete_names_the_object_by_its_uid(server: Server, client: KubeClient) -> None:
    server.answers = [(200, {}, {})]
    await client.delete(SERVICE, "team", "a", "u")
    body = {"preconditions": {"uid": "u"}, "propagationPolicy": "Background"}
    assert server.asked == [("DELETE", "/api/v1/namespaces/team/services/a", body)]


@pytest.mark.parametrize("status", [404, 409])
async def test_deleting_a_missing_or_replaced_object_succeeds(server: Server, client: KubeClient, status: int) -> None:
    server.answers = [(status, {}, {})]
    await client.delete(SERVICE, "team", "a", "u")
    assert len(server.asked) == 1


async def test_a_missing_object_is_none(server: Server, client: KubeClient) -> None:
    server.answers = [(404, {"message": "no"}, {})]
    assert await client.get(SERVICE, "team", "a") is None


async def test_a_list_is_read_page_by_page_and_its_items_have_their_kind(server: Server, client: KubeClient) -> None:
    server.answers = [
        (200, {"metadata": {"continue": "next", "resourceVersion": "7"}, "items": [{"metadata": {"name": "a"}}]}, {}),
        (200, {"metadata": {"resourceVersion": "7"}, "items": [{"metadata": {"name": "b"}}]}, {}),
    ]
    found = [page async for page in client.pages(EVENT, Selection(namespace=None, labels="x=y"))]
    ours = {"apiVersion": "events.k8s.io/v1", "kind": "Event"}
    assert [path for _, path, _ in server.asked] == [
        "/apis/events.k8s.io/v1/events?limit=200&labelSelector=x%3Dy",
        "/apis/events.k8s.io/v1/events?limit=200&labelSelector=x%3Dy&continue=next",
    ]
    assert [page.items for page in found] == [[ours | {"metadata": {"name": name}}] for name in "ab"]
    assert [page.resource_version for page in found] == ["7", "7"]


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (404, {}, (NotFoundError, None)),
        (409, {}, (ConflictError, None)),
        (422, {}, (RefusedError, None)),
        (403, {}, (RefusedError, None)),
        (429, {"Retry-After": "3"}, (KubeError, 3.0)),
        (503, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, (KubeError, None)),
        (500, {}, (KubeError, None)),
    ],
)
async def test_an_error_has_the_message_and_the_retry_after_of_its_response(
    server: Server, client: KubeClient, status: int, headers: dict[str, str], expected: tuple[type, float | None]
) -> None:
    server.answers = [(status, {"message": "in its words", "reason": "Why"}, headers)]
    with pytest.raises(KubeError) as caught:
        await client.apply(SERVICE, MANIFEST)
    error = caught.value
    assert (type(error), error.retry_after) == expected
    assert (str(error), error.status) == ("in its words", status)


async def test_a_body_that_is_not_json_is_the_message(server: Server, client: KubeClient) -> None:
    server.answers = [(502, "bad gateway", {})]
    with pytest.raises(KubeError) as caught:
        await client.apply(SERVICE, MANIFEST)
    assert str(caught.value) == "bad gateway"


async def test_an_unreachable_server_is_status_zero(seen: list[tuple[str, str, int]]) -> None:
    def observe(verb: str, kind: Kind, status: int) -> None:
        seen.append((verb, kind.name, status))

    client = KubeClient(Configuration(host="http://127.0.0.1:1"), OPERATOR_MANAGER, observe=observe)
    with pytest.raises(KubeError) as caught:
        await anext(client.pages(SERVICE, Selection(namespace="team")))
    await client.close()
    assert (caught.value.status, seen) == (0, [("LIST", "Service", 0)])


async def test_a_webhook_that_does_not_answer_has_its_own_error(server: Server, client: KubeClient) -> None:
    message = 'Internal error occurred: failed calling webhook "a.example": failed to call webhook: connection refused'
    server.answers = [(500, {"reason": "InternalError", "message": message}, {})]
    with pytest.raises(WebhookError, match="failed calling webhook"):
        await client.apply(SERVICE, MANIFEST)


async def test_a_namespace_that_is_being_deleted_has_its_own_error(server: Server, client: KubeClient) -> None:
    causes = [{"reason": "NamespaceTerminating", "message": "it is being terminated"}]
    server.answers = [(403, {"reason": "Forbidden", "message": "no", "details": {"causes": causes}}, {})]
    with pytest.raises(NamespaceTerminatingError):
        await client.apply(SERVICE, MANIFEST)


async def test_a_watch_gives_each_event_as_it_comes(server: Server, client: KubeClient) -> None:
    events = [{"type": "ADDED", "object": {"metadata": {"name": "ä"}}}, {"type": "BOOKMARK", "object": {}}]
    server.answers = [(200, "".join(f"{orjson.dumps(event).decode()}\n" for event in events), {})]
    selection = Selection(namespace="team", fields="metadata.name=a")
    assert [event async for event in client.watch(SERVICE, selection, "7")] == events
    assert server.asked[0][1] == (
        "/api/v1/namespaces/team/services?fieldSelector=metadata.name%3Da&watch=true&allowWatchBookmarks=true"
        "&timeoutSeconds=290&resourceVersion=7"
    )


async def test_a_watch_from_an_expired_version_has_its_own_error(server: Server, client: KubeClient) -> None:
    server.answers = [(410, {"message": "too old resource version"}, {})]
    with pytest.raises(ExpiredError):
        await anext(client.watch(SERVICE, Selection(namespace="team"), "7"))


async def test_a_watch_that_breaks_is_status_zero(server: Server, client: KubeClient) -> None:
    server.answers = [(200, '{"type": "ADDED"\n', {})]
    with pytest.raises(KubeError) as caught:
        await anext(client.watch(SERVICE, Selection(namespace="team"), "7"))
    assert caught.value.status == 0


async def test_a_body_that_is_not_json_is_status_zero(server: Server, client: KubeClient) -> None:
    server.answers = [(200, "<html>", {})]
    with pytest.raises(KubeError) as caught:
        await client.get(SERVICE, "team", "a")
    assert caught.value.status == 0


async def test_a_refused_token_says_what_renews_it(server: Server, client: KubeClient) -> None:
    server.answers = [(401, {"message": "Unauthorized"}, {})]
    with pytest.raises(KubeError, match="the token dies with its ServiceAccount"):
        await client.get(SERVICE, "team", "a")


async def test_an_object_that_is_in_no_namespace_is_created_at_the_kinds_path(
    server: Server, client: KubeClient
) -> None:
    server.answers = [(201, {}, {})]
    await client.create(TOKEN_REVIEW, {"spec": {"token": "t"}})
    path = "/apis/authentication.k8s.io/v1/tokenreviews?fieldManager=boardroom-operator"
    assert server.asked == [("POST", path, {"spec": {"token": "t"}})]


async def test_a_token_that_was_rotated_is_sent_from_then_on(
    server: Server, client: KubeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answers = [(200, {}, {}), (200, {}, {})]
    await client.get(SERVICE, "team", "a")

    def rotate(configuration: Configuration) -> None:
        configuration.api_key["BearerToken"] = "Bearer rotated"

    monkeypatch.setattr(client._configuration, "refresh_api_key_hook", rotate)
    await client.get(SERVICE, "team", "a")
    assert [headers["Authorization"] for headers in server.headers] == ["Bearer secret", "Bearer rotated"]
