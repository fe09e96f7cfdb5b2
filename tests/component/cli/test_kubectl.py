"""What a newcomer reads when kubectl does not answer, or says something that needs a remedy."""

from pathlib import Path

import click
import pytest

from boardroom.cli import kubectl as module
from boardroom.cli.kubectl import Kubectl

LOGGED = (
    'E1126 04:41:32.161301   10001 memcache.go:265] "Unhandled Error" err="couldn\'t get current server API group list"'
)


def program(tmp_path: Path, script: str) -> Kubectl:
    path = tmp_path / "kubectl"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return Kubectl(program=str(path), context="far-away")


def refusal(kubectl: Kubectl, name: str = "executive") -> str:
    with pytest.raises(click.ClickException) as caught:
        kubectl.board(name)
    return caught.value.message


def test_who_is_silent_is_named_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.2)
    message = refusal(program(tmp_path, "exec sleep 60"))
    assert message.startswith(
        "`kubectl get boardroom.boardroom.dev executive -o json --request-timeout=10s` did not end"
    )
    assert "the API server of --context=far-away does not answer" in message
    assert "--kubeconfig" in message


def test_a_port_forward_that_never_begins_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.2)
    silent = program(tmp_path, "exec sleep 60")
    said = "`kubectl port-forward pod/x` did not end"
    with pytest.raises(click.ClickException, match=said), silent.port_forward("pod/x", 8000):
        pass


def test_a_port_forward_that_stands_is_not_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.2)
    script = f"echo 'Forwarding from 127.0.0.1:4711 -> 8000'\nsleep 0.5\necho still > {tmp_path}/there\nexec sleep 60"
    with program(tmp_path, script).port_forward("pod/x", 8000) as url:
        while not (tmp_path / "there").exists():
            pass
    assert url == "http://127.0.0.1:4711"


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        (
            "The connection to the server localhost:8080 was refused - did you specify the right host or port?",
            "KUBECONFIG",
        ),
        ("Unable to connect to the server: dial tcp: lookup x: no such host", "--context"),
        ("Error in configuration: context was not found for specified context: zz", "--context"),
        ("error: stat /nope: no such file or directory", "--kubeconfig"),
        ('error: the server doesn\'t have a resource type "boardroom"', "docs/getting-started/install.md"),
        ('Error from server (NotFound): services "a-coordinator" not found', "kubectl get boardrooms -A"),
        ('Error from server (Forbidden): boardrooms.boardroom.dev "a" is forbidden', "docs/reference/rights.md"),
        ("error: You must be logged in to the server (Unauthorized)", "log in"),
    ],
)
def test_kubectls_own_words_come_with_a_remedy_and_without_its_noise(tmp_path: Path, said: str, remedy: str) -> None:
    (tmp_path / "said").write_text(f"{LOGGED}\n{LOGGED}\n{said}\n")
    message = refusal(program(tmp_path, f"cat {tmp_path}/said >&2; exit 1"))
    own = said.removeprefix("error: ")  # click says that, too
    assert (message.startswith(f"{own}; "), remedy in message) == (True, True), message


def test_words_that_explain_themselves_stay_as_they_are(tmp_path: Path) -> None:
    assert refusal(program(tmp_path, "echo 'error: exec plugin: it broke' >&2; exit 1")) == "exec plugin: it broke"


@pytest.mark.parametrize(
    ("items", "told"),
    [
        ('{"metadata": {"name": "executive", "namespace": "boards"}}', "existing boards: executive (-n boards)"),
        ("", "the cluster has no board yet: see docs/getting-started/install.md"),
    ],
)
def test_a_board_that_is_not_there_is_told_with_those_that_are(tmp_path: Path, items: str, told: str) -> None:
    (tmp_path / "list").write_text(f'{{"items": [{items}]}}')
    missing = 'Error from server (NotFound): boardrooms.boardroom.dev "exec" not found'
    script = f"case \"$*\" in *' exec '*) echo '{missing}' >&2; exit 1;; esac\ncat {tmp_path}/list"
    message = refusal(program(tmp_path, script), "exec")
    assert message == f"no board exec in the namespace of your kubeconfig; {told}"
