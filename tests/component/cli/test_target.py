"""Which token a command for people sends, with a kubectl that answers from files."""

import base64
import json
from pathlib import Path
from typing import Any

import click
import pytest

from boardroom.cli.kubectl import Kubectl
from boardroom.cli.target import Target

KEY = "a-key-0123456789"


@pytest.fixture
def kubectl(tmp_path: Path) -> Kubectl:
    """A program that writes down how it is called."""
    program = tmp_path / "kubectl"
    program.write_text(
        f'#!/bin/sh\necho "$*" >> {tmp_path}/calls\ncase "$1" in\n'
        f"get) cat {tmp_path}/$2 ;;\ncreate) echo made-token ;;\nesac\n"
    )
    program.chmod(0o755)
    return Kubectl(program=str(program))


def has(tmp_path: Path, kind: str, obj: dict[str, Any]) -> None:
    (tmp_path / kind).write_text(json.dumps(obj))


def board(tmp_path: Path, auth: dict[str, Any] | None, effective: dict[str, Any] | None = None) -> None:
    status = {"status": {"auth": effective}} if effective else {}
    has(tmp_path, "boardroom.boardroom.dev", {"spec": {"coordinator": {"auth": auth} if auth else {}}} | status)


def token(target: Target) -> str | None:
    return target._token("executive")


@pytest.mark.parametrize(
    ("account", "expected"), [(None, "executive-client"), ("robot", "robot")], ids=["default", "named"]
)
def test_kubectl_creates_a_short_token_of_the_boards_client(
    tmp_path: Path, kubectl: Kubectl, account: str | None, expected: str
) -> None:
    board(tmp_path, {"mode": "Kubernetes"})
    assert token(Target(url=None, kubectl=kubectl, service_account=account)) == "made-token"
    calls = (tmp_path / "calls").read_text().splitlines()
    assert calls[-1] == f"create token {expected} --audience=boardroom --duration=10m --request-timeout=10s"


def test_a_spec_that_names_no_auth_has_the_one_in_the_status(tmp_path: Path, kubectl: Kubectl) -> None:
    board(tmp_path, None, {"mode": "Kubernetes"})
    assert token(Target(url=None, kubectl=kubectl)) == "made-token"


@pytest.mark.parametrize("reference", [{}, {"key": "b"}])
def test_an_api_key_comes_out_of_its_secret(tmp_path: Path, kubectl: Kubectl, reference: dict[str, str]) -> None:
    board(tmp_path, {"mode": "ApiKey", "apiKeySecretRef": {"name": "keys"} | reference})
    values = {"b": f"# May\n{KEY}\n", "c": "another-key-0123456789"}
    has(tmp_path, "secret", {"data": {k: base64.b64encode(v.encode()).decode() for k, v in values.items()}})
    assert token(Target(url=None, kubectl=kubectl)) == KEY


def test_a_secret_without_a_key_is_named(tmp_path: Path, kubectl: Kubectl) -> None:
    board(tmp_path, {"mode": "ApiKey", "apiKeySecretRef": {"name": "keys"}})
    has(tmp_path, "secret", {"metadata": {}})
    with pytest.raises(click.ClickException, match="Secret keys holds no API key"):
        token(Target(url=None, kubectl=kubectl))


@pytest.mark.parametrize("auth", [None, {"mode": "None"}])
def test_a_board_that_asks_nobody_gets_no_token(tmp_path: Path, kubectl: Kubectl, auth: dict[str, Any] | None) -> None:
    board(tmp_path, auth)
    assert token(Target(url=None, kubectl=kubectl)) is None


@pytest.mark.parametrize("content", ["key-of-ceo\nkey-of-cfo\n", "", "two words", "k\u00e9y", "a\x1bkey"])
def test_what_no_header_can_hold_is_refused_and_never_quoted(tmp_path: Path, kubectl: Kubectl, content: str) -> None:
    file = tmp_path / "token"
    file.write_text(content)
    has(tmp_path, "secret", {"data": {"keys": base64.b64encode(b"\xff\xfe\n").decode()}})
    board(tmp_path, {"mode": "ApiKey", "apiKeySecretRef": {"name": "keys"}})
    wrong = [
        (Target(url="http://x", kubectl=kubectl, token_file=file), "--token-file"),
        (Target(url=None, kubectl=kubectl), "Secret keys"),
    ]
    if content:
        wrong.append((Target(url="http://x", kubectl=kubectl, token=content), "BOARDROOM_TOKEN"))
    for target, place in wrong:
        with pytest.raises(click.ClickException, match=f"{place}.* must hold one token") as caught:
            token(target)
        assert not any(word in caught.value.message for word in content.split())


def test_what_is_given_by_hand_is_sent_and_the_file_wins(tmp_path: Path, kubectl: Kubectl) -> None:
    file = tmp_path / "token"
    file.write_text("from-file\n")
    given = Target(url="http://x", kubectl=kubectl, token="from-env", token_file=file)
    assert (token(given), token(Target(url="http://x", kubectl=kubectl, token="from-env"))) == ("from-file", "from-env")
    assert not (tmp_path / "calls").exists()
