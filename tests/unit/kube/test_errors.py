"""The error for a response of the API server."""

import json

import pytest

from boardroom.kube.errors import (
    ConflictError,
    ExpiredError,
    KubeError,
    NamespaceTerminatingError,
    NotFoundError,
    RefusedError,
    WebhookError,
    response_error,
)

TERMINATING = {"message": "no", "details": {"causes": [{"reason": "NamespaceTerminating"}]}}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {}, RefusedError),
        (403, {}, RefusedError),
        (403, TERMINATING, NamespaceTerminatingError),
        (404, {}, NotFoundError),
        (409, {}, ConflictError),
        (410, {}, ExpiredError),
        (422, {}, RefusedError),
        (500, {"message": "failed calling webhook x"}, WebhookError),
        (500, {"message": "etcd"}, KubeError),
        (503, {}, KubeError),
    ],
)
def test_a_status_is_a_kind_of_error(status: int, body: object, kind: type[KubeError]) -> None:
    error = response_error(status, json.dumps(body).encode(), None)
    assert (type(error), error.status) == (kind, status)


@pytest.mark.parametrize(
    ("status", "content", "message"),
    [
        (409, b'{"message":"taken"}', "taken"),
        (502, b"<html>bad gateway</html>", "<html>bad gateway</html>"),
        (503, b"", "Service Unavailable"),
        (599, b"", "HTTP 599"),
        (503, b"[]", "[]"),
    ],
)
def test_the_message_is_the_servers_else_the_proxys_else_the_status(status: int, content: bytes, message: str) -> None:
    assert str(response_error(status, content, None)) == message


def test_older_crds_and_a_token_that_died_have_a_remedy() -> None:
    undeclared = response_error(400, b'{"message":".spec.x: field not declared in schema"}', None)
    assert "kubectl apply --server-side -k crds" in str(undeclared)
    assert "the token dies with its ServiceAccount" in str(response_error(401, b"", None))


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), (None, None), ("", None), ("soon", None)])
def test_retry_after_is_seconds_or_nothing(header: str | None, seconds: float | None) -> None:
    assert response_error(429, b"", header).retry_after == seconds
