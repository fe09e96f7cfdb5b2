"""The native node, on one of the tests' own beside whatever runs on this machine; test_cluster_down.py has its end."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from boardroom.cli.kubectl import Kubectl
from boardroom.cluster import image, processes
from boardroom.cluster.addresses import Addresses
from boardroom.cluster.existing import ExistingCluster
from boardroom.cluster.native import NativeNode
from boardroom.cluster.node_config import PAUSE_IMAGE
from boardroom.cluster.provider import ClusterError
from e2e.node_objects import NAMESPACE, NODE, apply, claim, kubectl_of, manifest, pod
from tools.waiting import until

pytestmark = NODE
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NativeNode]:
    node = NativeNode(tmp_path_factory.mktemp("cluster") / "node")
    node.up(gpus=8)
    yield node
    node.down()


@pytest.fixture(scope="module")
def kubectl(node: NativeNode) -> Kubectl:
    kubectl = kubectl_of(node)
    labels = {"name": NAMESPACE, "labels": RESTRICTED}
    apply(kubectl, {"apiVersion": "v1", "kind": "Namespace", "metadata": labels})
    return Kubectl(program=kubectl.program, kubeconfig=kubectl.kubeconfig, namespace=NAMESPACE)


@pytest.fixture(scope="module")
def server(node: NativeNode, kubectl: Kubectl) -> str:
    """A pod that meets restricted Pod Security, holds a GPU and a volume and serves HTTP behind a Service `web`."""
    node.load([])
    ports = [{"port": 80, "targetPort": 8080}]
    apply(
        kubectl,
        manifest("v1", "Service", "web", spec={"selector": {"app": "server"}, "ports": ports}),
        claim("data"),
        pod(
            "server",
            image.REFERENCE,
            command=["python", "-m", "http.server", "8080", "--directory", "/data"],
            volumeMounts=[{"name": "data", "mountPath": "/data"}],
            readinessProbe={"httpGet": {"port": 8080}, "periodSeconds": 1},
            claim="data",
        ),
    )
    kubectl.run("wait", "pod/server", "--for=condition=Ready", "--timeout=60s")
    return "server"


def test_the_node_advertises_eight_gpus(kubectl: Kubectl) -> None:
    (node,) = kubectl.get("nodes")["items"]
    assert [node["status"][kind]["nvidia.com/gpu"] for kind in ("capacity", "allocatable")] == ["8", "8"]


def test_a_restricted_pod_holds_one_gpu(kubectl: Kubectl, server: str) -> None:
    (container,) = kubectl.get("pod", server)["spec"]["containers"]
    assert container["resources"]["limits"] == {"nvidia.com/gpu": "1"}
    assert kubectl.get("pod", server)["status"]["phase"] == "Running"


def test_more_gpus_than_there_are_stay_pending(kubectl: Kubectl, server: str) -> None:
    apply(kubectl, pod("greedy", PAUSE_IMAGE, gpus=8))
    kubectl.run("wait", "pod/greedy", "--for=condition=PodScheduled=False", "--timeout=30s")
    (condition,) = kubectl.get("pod", "greedy")["status"]["conditions"]
    kubectl.run("delete", "pod", "greedy", "--wait=false")
    assert "Insufficient nvidia.com/gpu" in condition["message"]


def test_a_pod_resolves_the_names_of_services(kubectl: Kubectl, server: str) -> None:
    address = kubectl.get("service", "web")["spec"]["clusterIP"]
    resolve = "import socket; print(socket.gethostbyname('web'))"
    assert kubectl.run("exec", server, "--", "python", "-c", resolve).strip() == address


def test_a_pod_reaches_itself_by_its_cluster_ip(kubectl: Kubectl, server: str) -> None:
    fetch = "import urllib.request as r; print(r.urlopen('http://web/', timeout=5).status)"
    # A Ready pod is in the Service as soon as kube-proxy has seen so.
    until("the Service answers", lambda: _try(kubectl, server, fetch) == "200", timeout=15)


def test_a_pod_reaches_the_api_server(kubectl: Kubectl, server: str) -> None:
    fetch = (
        "import ssl, urllib.request as r; context = ssl._create_unverified_context();"
        "print(r.urlopen('https://kubernetes.default/version', timeout=5, context=context).status)"
    )
    assert kubectl.run("exec", server, "--", "python", "-c", fetch).strip() == "200"


def test_exec_passes_input_and_output(kubectl: Kubectl, server: str) -> None:
    assert kubectl.run("exec", "-i", server, "--", "cat", stdin="words") == "words"


def test_logs_come_back(kubectl: Kubectl, server: str) -> None:
    until("the probe is in the log", lambda: '"GET / HTTP/1.1" 200' in kubectl.run("logs", server), timeout=15)


def test_port_forward_leads_from_a_client_to_a_pod(kubectl: Kubectl, server: str) -> None:
    kubectl.run("exec", server, "--", "sh", "-c", "echo hello > /data/greeting")
    with kubectl.port_forward(f"pod/{server}", 8080) as url:
        answers = [httpx.get(f"{url}/greeting").text for _ in range(3)]
    assert answers == ["hello\n"] * 3


def test_this_machine_reaches_a_cluster_ip(kubectl: Kubectl, server: str) -> None:
    address = kubectl.get("service", "web")["spec"]["clusterIP"]
    assert httpx.get(f"http://{address}/").status_code == 200


def test_the_volume_of_a_deleted_claim_goes(node: NativeNode, kubectl: Kubectl) -> None:
    apply(kubectl, claim("brief"))
    kubectl.run("wait", "pvc/brief", "--for=jsonpath={.status.phase}=Bound", "--timeout=20s")
    folder = node.directory / "volumes" / kubectl.get("pvc", "brief")["spec"]["volumeName"]
    assert folder.is_dir()
    kubectl.run("delete", "pvc", "brief")
    until("the volume's folder is gone", lambda: not folder.exists(), timeout=20)


def test_up_again_changes_nothing_and_says_so(node: NativeNode, capsys: pytest.CaptureFixture[str]) -> None:
    before = [process.pid for process in processes.marked(node.directory)]
    node.up(gpus=8)
    assert [process.pid for process in processes.marked(node.directory)] == before
    assert capsys.readouterr().err.startswith("already up: one node with 8 nvidia.com/gpu")


def test_up_again_with_other_gpus_advertises_them(node: NativeNode) -> None:
    node.up(gpus=2)
    changed = node.status().gpus
    node.up(gpus=8)
    assert (changed, node.status().gpus) == (2, 8)


def test_an_unchanged_image_is_not_loaded_again(
    node: NativeNode, server: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (node.directory / "image.digest").write_text(image.digest(image.repository()))
    capsys.readouterr()
    node.load([])
    assert capsys.readouterr().err == f"{image.REFERENCE}: unchanged since the last load\n"


def test_our_image_carries_no_secret_of_its_build(kubectl: Kubectl, server: str) -> None:
    find = "find / -xdev -name 'build_env*' -o -xdev -name 'build_ca*' -o -xdev -name pip -path '*/opt/*'"
    assert kubectl.run("exec", server, "--", "sh", "-c", f"({find}) 2>/dev/null || true") == ""


def test_a_given_cluster_is_checked_and_not_changed(node: NativeNode, capsys: pytest.CaptureFixture[str]) -> None:
    ExistingCluster(node.kubeconfig()).up(gpus=3)
    assert re.fullmatch(r"it answers: Kubernetes v1\S+, 8 nvidia.com/gpu on its nodes\n", capsys.readouterr().err)
    assert node.status().gpus == 8


def test_a_given_cluster_goes_on_after_down(node: NativeNode) -> None:
    ExistingCluster(node.kubeconfig()).down()
    assert node.status().healthy


def test_a_given_cluster_that_does_not_answer_is_an_error(node: NativeNode, tmp_path: Path) -> None:
    config = yaml.safe_load(node.kubeconfig().read_text())
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    nowhere = tmp_path / "kubeconfig"
    nowhere.write_text(json.dumps(config))
    with pytest.raises(ClusterError, match="does not answer"):
        ExistingCluster(nowhere).up(gpus=8)


def test_the_second_node_has_networks_of_its_own(node: NativeNode, tmp_path: Path) -> None:
    second = NativeNode(tmp_path / "node")
    second.up(gpus=1)
    try:
        numbers = [json.loads((each.directory / "node.json").read_text())["number"] for each in (node, second)]
        networks = [set(Addresses(number).networks()) for number in numbers]
        assert networks[0] & networks[1] == set()
        assert (node.status().healthy, second.status().healthy) == (True, True)
    finally:
        second.down()


def _try(kubectl: Kubectl, pod: str, script: str) -> str:
    caught = f"try:\n  {script}\nexcept OSError as error:\n  print(error)"
    return kubectl.run("exec", pod, "--", "python", "-c", caught).strip()
