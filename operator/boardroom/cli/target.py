"""The board of a user command: a coordinator's URL, or kubectl's cluster."""

import base64
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce, wraps
from pathlib import Path
from typing import Any

import click
import httpx

from boardroom.api.meta import AUDIENCE, COORDINATOR_PORT, client_name, coordinator_name
from boardroom.api.overview import HealthResponse
from boardroom.cli.kubectl import Kubectl

CONNECT_TIMEOUT = 10.0
"""Seconds to connect to a coordinator. A question has its own deadline."""

TOKEN_LIFETIME = "10m"  # noqa: S105 (a duration, the shortest that the API server takes)

_EXAMPLE = "http://127.0.0.1:8000"
_TOKEN = re.compile(r"[\x21-\x7e]+")
"""Characters of a header value: printable ASCII without space."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """The connection settings for a board's coordinator."""

    url: str | None
    kubectl: Kubectl
    token: str | None = None
    token_file: Path | None = None
    service_account: str | None = None

    @contextmanager
    def coordinator(self, board: str) -> Iterator[httpx.Client]:
        """An HTTP client of the board's coordinator."""
        token = self._token(board)
        if self.url:
            remedy = f"check --url (BOARDROOM_URL): `boardroom serve -f FILE` prints its URL, for example {_EXAMPLE}"
            with _client(self.url, token, remedy) as client:
                _require_board(client, board)
                yield client
            return
        remedy = f"see `kubectl get boardroom {board}` and its pods"
        forward = self.kubectl.port_forward(f"service/{coordinator_name(board)}", COORDINATOR_PORT)
        with forward as url, _client(url, token, remedy) as client:
            yield client

    def _token(self, board: str) -> str | None:
        """The user's token, else one for the board's auth through kubectl. None: the board needs none."""
        if self.token_file:
            return _sendable(_read(self.token_file), f"--token-file {self.token_file}")
        if self.token:
            return _sendable(self.token, "BOARDROOM_TOKEN")
        if self.url:
            return None
        live = self.kubectl.board(board)
        auth = live["spec"].get("coordinator", {}).get("auth") or live.get("status", {}).get("auth", {})
        if auth.get("mode") == "Kubernetes":
            account = self.service_account or client_name(board)
            flags = (f"--audience={AUDIENCE}", f"--duration={TOKEN_LIFETIME}")
            return self.kubectl.at_once("create", "token", account, *flags).strip()
        if auth.get("mode") == "ApiKey":
            reference = auth["apiKeySecretRef"]
            key = _first_key(self.kubectl.get("secret", reference["name"]), reference)
            return _sendable(key, f"Secret {reference['name']}")
        return None


@contextmanager
def _client(url: str, token: str | None, remedy: str) -> Iterator[httpx.Client]:
    timeout = httpx.Timeout(None, connect=CONNECT_TIMEOUT)
    headers = {"authorization": f"Bearer {token}"} if token else {}
    try:
        with httpx.Client(base_url=url, headers=headers, timeout=timeout, trust_env=False) as client:
            yield client
    except (httpx.TransportError, httpx.InvalidURL) as error:
        raise click.ClickException(f"no coordinator answers at {url}: {error}; {remedy}") from error


def _require_board(client: httpx.Client, board: str) -> None:
    """Raises ClickException if the coordinator serves another board."""
    try:
        health = HealthResponse.model_validate_json(client.get("/v1/health").content)
    except ValueError:  # a refusal, or no coordinator: the command's own request reports it
        return
    if health.board not in (None, board):
        raise click.ClickException(f"{client.base_url} serves the board {health.board}, not {board}")


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise click.ClickException(f"--token-file {file}: {error.strerror}") from error


def _sendable(text: str, place: str) -> str:
    """The token, if a header can hold it. Raises ClickException without the token, which httpx's error would quote."""
    token = text.strip()
    if _TOKEN.fullmatch(token) is None:
        raise click.ClickException(f"{place} must hold one token or API key, on one line, and nothing else")
    return token


def _first_key(secret: dict[str, Any], reference: dict[str, str]) -> str:
    """The first API key of a Secret, as the coordinator reads it."""
    data = secret.get("data") or {}
    wanted = [reference["key"]] if "key" in reference else sorted(data)
    lines = [line for name in wanted if name in data for line in _text(data[name]).splitlines()]
    key = next((line.strip() for line in lines if line.strip() and not line.strip().startswith("#")), None)
    if key is None:
        raise click.ClickException(f"Secret {reference['name']} holds no API key")
    return key


def _text(value: str) -> str:
    return base64.b64decode(value).decode(errors="replace")


_CLUSTER = (
    click.option("-n", "--namespace", help="Namespace of the board."),
    click.option("--context", help="Context of the kubeconfig."),
    click.option("--kubeconfig", type=click.Path(), help="Kubeconfig file."),
)
_COORDINATOR = (
    click.option(
        "--url", envvar="BOARDROOM_URL", help="URL of a coordinator [env BOARDROOM_URL]. Unset: kubectl's cluster."
    ),
    *_CLUSTER,
    click.option(
        "--token-file",
        envvar="BOARDROOM_TOKEN_FILE",
        type=click.Path(dir_okay=False, path_type=Path),
        help="File with the bearer token or API key. BOARDROOM_TOKEN holds the token itself. Unset, with kubectl's "
        "cluster: a token or key for the board's spec.coordinator.auth.",
    ),
    click.option(
        "--service-account",
        help="auth mode Kubernetes: ServiceAccount of the token. Default: BOARD-client, which the operator creates.",
    ),
)


def cluster_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The flags for cluster and namespace, as one argument `kubectl`."""

    @wraps(command)
    def with_kubectl(*, namespace: str | None, context: str | None, kubeconfig: str | None, **rest: Any) -> Any:
        return command(kubectl=Kubectl(namespace=namespace, context=context, kubeconfig=kubeconfig), **rest)

    return reduce(lambda inner, option: option(inner), reversed(_CLUSTER), with_kubectl)


def target_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The flags for the board's place, as one argument `target`."""

    @wraps(command)
    def with_target(
        *,
        url: str | None,
        namespace: str | None,
        context: str | None,
        kubeconfig: str | None,
        token_file: Path | None,
        service_account: str | None,
        **rest: Any,
    ) -> Any:
        kubectl = Kubectl(namespace=namespace, context=context, kubeconfig=kubeconfig)
        # No flag for the token: every user of the machine sees the arguments of a process.
        token = os.environ.get("BOARDROOM_TOKEN")
        target = Target(url=url, kubectl=kubectl, token=token, token_file=token_file, service_account=service_account)
        return command(target=target, **rest)

    return reduce(lambda inner, option: option(inner), reversed(_COORDINATOR), with_target)
