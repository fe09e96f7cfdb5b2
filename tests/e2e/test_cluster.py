"""The native node, on one of the tests' own beside whatever runs on this machine."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from boardroom.cli.kubectl import Kubectl
from boardroom.cluster import build, cgroups, host, image, init, processes
from boardroom.cluster.addresses import Addresses
from boardroom.cluster.given import GivenCluster
from boardroom.cluster.native import NativeNode
from boardroom.cluster.node_config import PAUSE_IMAGE
from boardroom.cluster.provider import ClusterError
from tools.waiting import until

pytestmark = [
    pytest.mark.e2e,
    # The first run builds every program of a cluster.
    pytest.mark.timeout(1800),
    pytest.mark.skipif(os.geteuid() != 0, reason="a native node needs root"),
]

RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
NAMESPACE = "try"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NativeNode]:
    node = NativeNode(tmp_path_factory.mktemp("cluster") / "node")
    node.up(gpus=8)
    yield node
    node.down()


@pytest.fixture(scope="module")
def kubectl(node: NativeNode) -> Kubectl:
    kubectl = _kubectl(node)
    labels = {"name": NAMESPACE, "labels": RESTRICTED}
    _apply(kubectl, {"apiVersion": "v1", "kind": "Namespace", "metadata": labels})
    return Kubectl(program=kubectl.program, kubeconfig=kubectl.kubeconfig, namespace=NAMESPACE)


@pytest.fixture(scope="module")
def server(node: NativeNode, kubectl: Kubectl) -> str:
    """A pod that meets restricted Pod Security, holds a GPU and a volume and serves HTTP behind a Service `web`."""
    node.load([])
    ports = [{"port": 80, "targetPort": 8080}]
    _apply(
        kubectl,
        _object("v1", "Service", "web", spec={"selector": {"app": "server"}, "ports": ports}),
        _claim("data"),
        _pod(
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


@pytest.mark.parametrize(
    "victims",
    [(), ("kubelet", "containerd"), ("containerd-shim-runc-v2",), ("etcd", "kube-apiserver"), ("init",), ("unshare",)],
    ids=lambda names: "+".join(names) or "nothing killed",
)
def test_down_leaves_nothing_after_a_kill_of(victims: tuple[str, ...], tmp_path: Path) -> None:
    node = NativeNode(tmp_path / "node")
    shared = _traces_of_the_last_node()
    node.up(gpus=1)
    try:
        _pod_with_volume(node)
        number = json.loads((node.directory / "node.json").read_text())["number"]
        alive = _alive(node)
        _kill(node, victims)
    finally:
        node.down()
    assert _survivors(alive) == []
    assert _traces_on_the_machine(node.directory, number) == []
    assert _traces_of_the_last_node() == shared
    assert sorted(entry.name for entry in node.directory.iterdir()) == ["lock", "log"]


def test_the_node_advertises_eight_gpus(kubectl: Kubectl) -> None:
    (node,) = kubectl.get("nodes")["items"]
    assert [node["status"][kind]["nvidia.com/gpu"] for kind in ("capacity", "allocatable")] == ["8", "8"]


def test_a_restricted_pod_holds_one_gpu(kubectl: Kubectl, server: str) -> None:
    (container,) = kubectl.get("pod", server)["spec"]["containers"]
    assert container["resources"]["limits"] == {"nvidia.com/gpu": "1"}
    assert kubectl.get("pod", server)["status"]["phase"] == "Running"


def test_more_gpus_than_there_are_stay_pending(kubectl: Kubectl, server: str) -> None:
    _apply(kubectl, _pod("greedy", PAUSE_IMAGE, gpus=8))
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
    _apply(kubectl, _claim("brief"))
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
    GivenCluster(node.kubeconfig()).up(gpus=3)
    assert re.fullmatch(r"it answers: Kubernetes v1\S+, 8 nvidia.com/gpu on its nodes\n", capsys.readouterr().err)
    assert node.status().gpus == 8


def test_a_given_cluster_goes_on_after_down(node: NativeNode) -> None:
    GivenCluster(node.kubeconfig()).down()
    assert node.status().healthy


def test_a_given_cluster_that_does_not_answer_is_an_error(node: NativeNode, tmp_path: Path) -> None:
    config = yaml.safe_load(node.kubeconfig().read_text())
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    nowhere = tmp_path / "kubeconfig"
    nowhere.write_text(json.dumps(config))
    with pytest.raises(ClusterError, match="does not answer"):
        GivenCluster(nowhere).up(gpus=8)


def test_down_again_does_nothing_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    NativeNode(tmp_path / "node").down()
    assert capsys.readouterr().err == "already down\n"


def test_a_broken_node_is_told_by_its_missing_part(tmp_path: Path) -> None:
    node = NativeNode(tmp_path / "node")
    node.up(gpus=1)
    try:
        _kill(node, ("kubelet",))
        assert "kubelet is not running" in node.status().problems
    finally:
        node.down()


def test_up_after_a_crash_begins_anew(tmp_path: Path) -> None:
    node = NativeNode(tmp_path / "node")
    node.up(gpus=1)
    try:
        _kill(node, ("kubelet", "containerd"))
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
    assert _traces_on_the_machine(node.directory, number) == []


def test_a_root_that_may_not_make_namespaces_is_told_so(tmp_path: Path) -> None:
    up = [sys.executable, "-m", "boardroom.cli.cluster", "up"]
    command = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin", *up]
    environment = os.environ | {"XDG_STATE_HOME": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "namespaces could not be made" in done.stderr
    assert "Operation not permitted" in done.stderr


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


def _traces_on_the_machine(directory: Path, number: int) -> list[str]:
    """What is there of a node now, found by its name and number: another node may come and go meanwhile."""
    name = Addresses(number).host_interface
    rules = subprocess.run(["iptables-save"], capture_output=True, text=True, check=True).stdout
    return [
        *(f"process {process.pid} {process.name}" for process in processes.marked(directory)),
        *(line for line in Path("/proc/mounts").read_text().splitlines() if str(directory) in line),
        *(f"link {link}" for link in host.interfaces() & {name}),
        *(line for line in rules.splitlines() if name in line.split()),
        *(f"control group {group}" for group in cgroups.named(name) & {name}),
    ]


def _traces_of_the_last_node() -> dict[str, Any]:
    """What nodes share, put back with the last of them; empty while there is another."""
    if any(link.startswith(host.INTERFACE_PREFIX) for link in host.interfaces()):
        return {}
    folders = {str(place): place.exists() for place in init.MOUNT_POINTS}
    return {"/run": sorted(entry.name for entry in Path("/run").iterdir()), **folders, **host.settings()}


def _alive(node: NativeNode) -> set[tuple[int, str, str]]:
    """(id, PID namespace, network namespace) of each process of a node that is up."""
    (first,) = [process for process in processes.marked(node.directory) if process.inner_pid == 1]
    return {_identity(process.pid) for process in [first, *_descendants(first.pid)]}


def _identity(pid: int) -> tuple[int, str, str]:
    try:
        own = Path(f"/proc/{pid}/ns")
        return pid, str((own / "pid").readlink()), str((own / "net").readlink())
    except OSError:  # it ended meanwhile, or is none of ours to look into
        return pid, "", ""


def _survivors(of: set[tuple[int, str, str]]) -> list[tuple[int, str, str]]:
    """Processes that are in one of these namespaces, other than this machine's own."""
    own = _identity(os.getpid())[1:]
    spaces = {space for _, *kinds in of for space in kinds} - {*own, ""}
    return [identity for process in processes.running() if spaces & set((identity := _identity(process.pid))[1:])]


def _pod_with_volume(node: NativeNode) -> None:
    kubectl = _kubectl(node)
    until("the default service account is there", lambda: "default" in kubectl.run("get", "serviceaccounts"))
    claim = _claim("data")
    pod = _pod(
        "one", PAUSE_IMAGE, volumeMounts=[{"name": "data", "mountPath": "/data"}], claim="data", namespace="default"
    )
    claim["metadata"]["namespace"] = "default"
    _apply(kubectl, claim, pod)
    kubectl.run("wait", "pod/one", "--for=condition=Ready", "--timeout=60s")


def _kill(node: NativeNode, names: tuple[str, ...]) -> None:
    """SIGKILL by name; `init` is the node's first process, `unshare` the one that holds its namespaces."""
    marked = processes.marked(node.directory)
    (first,) = [process for process in marked if process.inner_pid == 1]
    of_node = _descendants(first.pid)
    for name in names:
        chosen = {
            "init": [first],
            "unshare": [process for process in marked if process.name == "unshare"],
        }.get(name) or [process for process in of_node if process.name == name]
        assert chosen, f"{name} does not run"
        for process in chosen:
            os.kill(process.pid, signal.SIGKILL)
    killed = {"init"} & set(names)
    if names and not killed:
        gone = set(names) - {"unshare"}
        until(f"{gone} ended", lambda: not gone & {process.name for process in processes.children(first.pid)}, 10)


def _descendants(pid: int) -> list[processes.Process]:
    everything = list(processes.running())
    found, frontier = [], {pid}
    while frontier:
        children = [process for process in everything if process.parent in frontier]
        found += children
        frontier = {process.pid for process in children}
    return found


def _kubectl(node: NativeNode) -> Kubectl:
    return Kubectl(program=str(build.program("kubectl")), kubeconfig=str(node.kubeconfig()), namespace="default")


def _try(kubectl: Kubectl, pod: str, script: str) -> str:
    caught = f"try:\n  {script}\nexcept OSError as error:\n  print(error)"
    return kubectl.run("exec", pod, "--", "python", "-c", caught).strip()


def _apply(kubectl: Kubectl, *objects: dict[str, Any]) -> None:
    kubectl.run("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all(objects))


def _object(version: str, kind: str, name: str, **content: Any) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE}, **content}


def _claim(name: str) -> dict[str, Any]:
    request = {"requests": {"storage": "1Gi"}}
    return _object("v1", "PersistentVolumeClaim", name, spec={"accessModes": ["ReadWriteOnce"], "resources": request})


def _pod(
    name: str, image_: str, *, gpus: int = 1, claim: str = "", namespace: str = NAMESPACE, **container: Any
) -> dict[str, Any]:
    """A pod as restricted Pod Security wants it."""
    security = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    container |= {"name": "main", "image": image_, "imagePullPolicy": "Never", "securityContext": security}
    container["resources"] = {"limits": {"nvidia.com/gpu": str(gpus)}}
    spec: dict[str, Any] = {
        "terminationGracePeriodSeconds": 0,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
    }
    if claim:
        spec["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]
    pod = _object("v1", "Pod", name, spec=spec)
    pod["metadata"] |= {"labels": {"app": name}, "namespace": namespace}
    return pod
