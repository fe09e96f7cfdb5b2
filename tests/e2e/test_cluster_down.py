"""What is left of a native node, whatever part of it was killed; each test has a node of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from boardroom.cluster import host
from boardroom.cluster.native import NativeNode
from boardroom.cluster.node_config import PAUSE_IMAGE
from boardroom.cluster.provider import ClusterError
from e2e.node_objects import NODE, apply, claim, kubectl_of, pod
from e2e.node_traces import alive, kill, survivors, traces_of_the_last_node, traces_on_the_machine
from tools.waiting import until

pytestmark = NODE


@pytest.mark.parametrize(
    "victims",
    [(), ("kubelet", "containerd"), ("containerd-shim-runc-v2",), ("etcd", "kube-apiserver"), ("init",), ("unshare",)],
    ids=lambda names: "+".join(names) or "nothing killed",
)
def test_down_leaves_nothing_after_a_kill_of(victims: tuple[str, ...], tmp_path: Path) -> None:
    node = NativeNode(tmp_path / "node")
    shared = traces_of_the_last_node()
    node.up(gpus=1)
    try:
        _pod_with_volume(node)
        number = json.loads((node.directory / "node.json").read_text())["number"]
        living = alive(node)
        kill(node, victims)
    finally:
        node.down()
    assert survivors(living) == []
    assert traces_on_the_machine(node.directory, number) == []
    assert traces_of_the_last_node() == shared
    assert sorted(entry.name for entry in node.directory.iterdir()) == ["lock", "log"]


def test_down_again_does_nothing_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    NativeNode(tmp_path / "node").down()
    assert capsys.readouterr().err == "already down\n"


def test_a_broken_node_is_told_by_its_missing_part(tmp_path: Path) -> None:
    node = NativeNode(tmp_path / "node")
    node.up(gpus=1)
    try:
        kill(node, ("kubelet",))
        assert "kubelet is not running" in node.status().problems
    finally:
        node.down()


def test_up_after_a_crash_begins_anew(tmp_path: Path) -> None:
    node = NativeNode(tmp_path / "node")
    node.up(gpus=1)
    try:
        kill(node, ("kubelet", "containerd"))
        node.up(gpus=1)
        assert node.status().healthy
    finally:
        node.down()


def test_a_node_that_cannot_start_shows_its_log_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "name_servers", lambda: None)  # the node's first process fails on it
    node, number = NativeNode(tmp_path / "node"), host.free_addresses().number
    with pytest.raises(ClusterError, match=r"could not start[\s\S]+TypeError"):
        node.up(gpus=1)
    assert traces_on_the_machine(node.directory, number) == []


def test_a_root_that_may_not_make_namespaces_is_told_so(tmp_path: Path) -> None:
    up = [sys.executable, "-m", "boardroom.cli.cluster", "up"]
    command = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin", *up]
    environment = os.environ | {"XDG_STATE_HOME": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "namespaces could not be made" in done.stderr
    assert "Operation not permitted" in done.stderr


def _pod_with_volume(node: NativeNode) -> None:
    kubectl = kubectl_of(node)
    until("the default service account is there", lambda: "default" in kubectl.run("get", "serviceaccounts"))
    volume = claim("data")
    one = pod(
        "one", PAUSE_IMAGE, volumeMounts=[{"name": "data", "mountPath": "/data"}], claim="data", namespace="default"
    )
    volume["metadata"]["namespace"] = "default"
    apply(kubectl, volume, one)
    kubectl.run("wait", "pod/one", "--for=condition=Ready", "--timeout=60s")
