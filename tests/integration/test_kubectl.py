"""The commands' kubectl, a real one, before a real API server: the mistakes that newcomers make."""

import socket
from pathlib import Path

import click
import pytest

from boardroom.cli import kubectl as module
from boardroom.cli.kubectl import Kubectl
from boardroom.cluster import build
from boardroom.cluster.controlplane import ControlPlane
from integration.boards import board
from integration.kube_api import KubeApi


def refusal(kubectl: Kubectl, name: str) -> str:
    with pytest.raises(click.ClickException) as caught:
        kubectl.board(name)
    return caught.value.message


def of(kubeconfig: Path, namespace: str | None = None) -> Kubectl:
    return Kubectl(program=str(build.program("kubectl")), kubeconfig=str(kubeconfig), namespace=namespace)


def test_a_wrong_name_is_told_with_the_boards_that_there_are(apiserver: ControlPlane, kube: KubeApi) -> None:
    kube.create(board("executive"))
    message = refusal(of(apiserver.kubeconfig, kube.namespace), "exec")
    said = f"no board exec in namespace {kube.namespace}; existing boards: executive (-n {kube.namespace})"
    assert message.startswith(said), message


def test_a_namespace_that_is_not_there_is_told_likewise(apiserver: ControlPlane, kube: KubeApi) -> None:
    kube.create(board("executive"))
    message = refusal(of(apiserver.kubeconfig, "nowhere"), "executive")
    assert message.startswith("namespace nowhere does not exist; existing boards: "), message
    assert "(-n " in message


def test_a_cluster_without_the_operator_is_told_from_a_wrong_name(tmp_path: Path) -> None:
    with ControlPlane(tmp_path, controller_manager=False) as bare:
        message = refusal(of(bare.kubeconfig), "executive")
    assert "this cluster has no Boardroom operator" in message


def test_an_api_server_that_says_nothing_is_given_up_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REQUEST_SECONDS", 1)
    monkeypatch.setattr(module, "ANSWER_SECONDS", 2.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        cluster = {"server": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        config = tmp_path / "kubeconfig"
        config.write_text(
            f"{{apiVersion: v1, kind: Config, current-context: c, clusters: [{{name: c, cluster: {cluster}}}],"
            " contexts: [{name: c, context: {cluster: c, user: u}}], users: [{name: u, user: {}}]}"
        )
        message = refusal(of(config), "executive")
    assert "did not end within 2 s" in message
    assert f"the API server of --kubeconfig={config} does not answer" in message
