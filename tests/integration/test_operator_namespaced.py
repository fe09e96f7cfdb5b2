"""An operator that looks at one namespace only, and one that can't start."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from boardroom.cluster.controlplane import ControlPlane
from boardroom.cluster.pki import Identity
from integration.boards import board
from integration.kube_api import KubeApi, Object
from integration.operator_process import OperatorProcess
from integration.playing import reason
from tools.waiting import until


@pytest.fixture
def narrow(operator_kubeconfig: Path, kube: KubeApi, tmp_path: Path) -> Iterator[OperatorProcess]:
    with OperatorProcess(
        operator_kubeconfig, tmp_path / "log", "--namespace", kube.namespace, env={"AOS_LORAX_PORT": "9999"}
    ) as process:
        process.start()
        yield process


def test_other_namespaces_are_not_looked_at(narrow: OperatorProcess, kube: KubeApi, second_kube: KubeApi) -> None:
    second_kube.create(board())
    kube.create(board())
    until("the board in its namespace", lambda: kube.condition("Boardroom", "executive", "Ready")["reason"])
    assert second_kube.live("Boardroom", "executive")["status"] == {"observedGeneration": -1}
    assert second_kube.names("Deployment") == []


def test_a_board_that_names_no_auth_waits_for_keys(narrow: OperatorProcess, kube: KubeApi) -> None:
    kube.create(board())
    until("the coordinator", lambda: kube.get("Deployment", "executive-coordinator"))
    pod = kube.live("Deployment", "executive-coordinator")["spec"]["template"]["spec"]
    assert [volume["secret"]["secretName"] for volume in pod["volumes"]] == ["executive-api-keys"]
    expected = {"mode": "ApiKey", "apiKeySecretRef": {"name": "executive-api-keys"}}
    until("the status says so", lambda: kube.live("Boardroom", "executive")["status"].get("auth") == expected)


def test_a_namespace_that_is_deleted_takes_no_other_board_along(
    apiserver: ControlPlane, operator_kubeconfig: Path, kube: KubeApi, second_kube: KubeApi, tmp_path: Path
) -> None:
    """What it may, it may in its own namespaces only: in one that is gone it may nothing, and not even ask."""
    user = f"system:serviceaccount:{kube.namespace}:operator"
    kubeconfig = apiserver.write_kubeconfig(Identity(name=kube.namespace, common_name=user, organization="operators"))
    flags = ("--namespace", kube.namespace, "--namespace", second_kube.namespace, "--resync-seconds", "1")
    kube.create(rights(kube.namespace))
    with OperatorProcess(kubeconfig, tmp_path / "log", *flags) as process:
        process.start()  # though the other namespace gives it no rights yet
        kube.create(board())
        until("the board is built", lambda: reason(kube) not in ("", "LoraxCreating"))
        second_kube.create(rights(kube.namespace))
        second_kube.create(board())
        assert until("it ends, to begin anew", lambda: ended(process), 60) == 1
        assert f"namespace {second_kube.namespace} can be listed now" in process.log.read_text()
        process.start()
        until("the other board is built", lambda: reason(second_kube) not in ("", "LoraxCreating"))
        second_kube.delete("RoleBinding", "operator")
        until("it is noticed", lambda: "can't list boardrooms" in process.log.read_text())
        before = process.metrics()[("boardroom_operator_last_resync_timestamp_seconds",)]
        resynced = lambda: process.metrics()[("boardroom_operator_last_resync_timestamp_seconds",)] > before  # noqa: E731
        until("the rest is listed all the same", resynced)
        assert process.ready()


def rights(namespace: str) -> Object:
    """What manifests/base gives the operator everywhere, in one namespace."""
    group = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "operator"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "boardroom-operator"},
        "subjects": [{"kind": "ServiceAccount", "name": "operator", "namespace": namespace}],
    }


def ended(process: OperatorProcess) -> int | None:
    assert process.process is not None
    return process.process.poll()


def test_defaults_come_from_the_environment(narrow: OperatorProcess, kube: KubeApi) -> None:
    kube.create(board())
    until("the Service", lambda: kube.get("Service", "executive-lorax"))
    assert [port["port"] for port in kube.live("Service", "executive-lorax")["spec"]["ports"]] == [9999, 8082]


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ({}, "BOARDROOM_IMAGE is not set"),
        ({"AOS_MAX_MEMBERS": "many", "BOARDROOM_IMAGE": "x"}, "AOS_MAX_MEMBERS='many': give a whole number"),
    ],
)
def test_what_is_missing_is_said_at_the_start(operator_kubeconfig: Path, env: dict[str, str], message: str) -> None:
    command = [str(Path(sys.executable).parent / "boardroom"), "operator", "--kubeconfig", str(operator_kubeconfig)]
    command += ["--metrics-port", "0", "--health-port", "0"]
    ended = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert message in ended.stderr
