"""From the commit before this one to this one, with a board running and questions being asked all the while."""

import io
import json
import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from boardroom.cli.kubectl import Kubectl
from boardroom.cluster import build, image
from boardroom.cluster.native import NativeNode
from e2e.board_on_pods import ROLES, ROOT, BoardOnPods, adapters_claim, board, member
from tools.helm import CHARTS, Helm
from tools.waiting import until

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(os.geteuid() != 0, reason="a native node needs root, and a second kind cluster has no name"),
]

PREVIOUS = "localhost/boardroom-operator:previous"
ASKER = """
import json, time, urllib.error, urllib.request
from pathlib import Path
body = json.dumps({"user_input": "And now?", "timeout": 30}).encode()
while True:
    token = Path("/var/run/boardroom/token").read_text()
    headers = {"content-type": "application/json", "authorization": f"Bearer {token}"}
    request = urllib.request.Request("http://executive-coordinator:8000/v1/ask", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            found = json.load(answer)
            print(len(found["agents_involved"]), flush=True)
    except urllib.error.HTTPError as error:
        print(f"lost: {error.code} {error.read()[:500]}", flush=True)
    except OSError as error:
        print(f"lost: {error!r}", flush=True)
    time.sleep(0.2)
"""


@pytest.fixture(scope="module")
def previous(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree of the commit before: UPGRADE_FROM, else HEAD's first parent."""
    commit = os.environ.get("UPGRADE_FROM", "HEAD^")
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=False)
    if archive.returncode != 0:
        pytest.skip(f"there is no commit {commit} here (a shallow clone?): {archive.stderr.decode().strip()}")
    folder = tmp_path_factory.mktemp("previous")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tree:
        tree.extractall(folder, filter="data")
    return folder


@pytest.fixture(scope="module")
def kubectl(previous: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    """A node with both images in it."""
    node = NativeNode(tmp_path_factory.mktemp("upgrade") / "node")
    node.up(gpus=2)
    try:
        old = tmp_path_factory.mktemp("image") / "previous.tar"
        _renamed(image.ensure_archive(previous, image.digest(previous)), PREVIOUS, old)
        node.load([str(old)])
        node.load([])
        yield Kubectl(program=str(build.program("kubectl")), kubeconfig=str(node.kubeconfig()))
    finally:
        node.down()


@pytest.fixture
def helm(kubectl: Kubectl, tmp_path: Path) -> Helm:
    return Helm.of("helm4", tmp_path, kubectl.kubeconfig)


def test_an_upgrade_restarts_no_lorax_without_need_and_loses_no_question(
    kubectl: Kubectl, helm: Helm, previous: Path
) -> None:
    """Only a commit that changes LoRAX's own pod restarts it; questions are refused meanwhile, to be asked again."""
    _install_previous(kubectl, helm, previous)
    executive = BoardOnPods(Kubectl(program=kubectl.program, kubeconfig=kubectl.kubeconfig, namespace="upgraded"))
    _board(executive)
    until("questions are answered", lambda: len(_asked(executive)) >= 5)
    before, template = executive.lorax_pod(), _template(executive)
    generation = executive.get("boardroom", "executive")["metadata"]["generation"]

    values = f"image.repository=localhost/boardroom-operator,image.tag=dev,defaults.AOS_LORAX_IMAGE={PREVIOUS}"
    where = ("boardroom-operator", str(CHARTS / "boardroom-operator"), "--namespace", "boardroom-system")
    flags = ("--install", "--take-ownership", "--force-conflicts", "--wait", "--timeout", "3m", "--set", values)
    helm.run("upgrade", *where, *flags)
    until("the coordinator is this commit's, alone", lambda: _images(executive) == ["localhost/boardroom-operator:dev"])
    executive.wait_ready()
    executive.wait_members("5/5")
    answered = len(_asked(executive))
    until("questions go on", lambda: len(_asked(executive)) >= answered + 5)

    lost = [line for line in _asked(executive) if line != "5"]
    if _template(executive) == template:
        assert lost == []
        assert executive.lorax_pod() == before
    else:
        assert [line for line in lost if not line.startswith("lost: 503")] == []
        assert executive.lorax_pod()[0] != before[0]
    assert executive.get("boardroom", "executive")["metadata"]["generation"] == generation


def test_this_commits_crds_take_every_old_object(kubectl: Kubectl, previous: Path) -> None:
    """After the test above: the examples of the commit before, and what is stored."""
    examples = str(previous / "manifests" / "examples")
    judged = ("apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "-o", "name")
    taken = kubectl.run(*judged, "--namespace=default", "-f", examples).split()  # where none of their names is taken
    assert "boardroom.boardroom.dev/executive" in taken
    stored = kubectl.get("boardrooms,boardagents", None, "--namespace=upgraded")["items"]
    assert len(stored) == 1 + len(ROLES)
    for obj in stored:
        for field in ("managedFields", "resourceVersion"):  # status goes on being written
            obj["metadata"].pop(field, None)
    kubectl.run(*judged, "-f", "-", stdin=yaml.safe_dump_all(stored))


def _renamed(archive: Path, reference: str, out: Path) -> None:
    """The same docker-archive under another name."""
    with tarfile.open(archive) as source, tarfile.open(out, "w") as target:
        for entry in source:
            content = source.extractfile(entry)
            if entry.name == "manifest.json" and content is not None:
                manifest = json.load(content)
                manifest[0]["RepoTags"] = [reference]
                text = json.dumps(manifest).encode()
                entry.size, content = len(text), io.BytesIO(text)
            target.addfile(entry, content)


def _install_previous(kubectl: Kubectl, helm: Helm, previous: Path) -> None:
    """By its chart, or by its plain manifests where it had none."""
    repository, tag = PREVIOUS.rsplit(":", 1)
    chart = previous / "charts" / "boardroom-operator"
    if (chart / "Chart.yaml").exists():
        values = f"image.repository={repository},image.tag={tag},defaults.AOS_LORAX_IMAGE={PREVIOUS}"
        where = ("boardroom-operator", str(chart), "--namespace", "boardroom-system", "--create-namespace")
        helm.run("install", *where, "--wait", "--timeout", "3m", "--set", values)
        return
    overlay = previous / "manifests" / "demo"
    settings = yaml.safe_load((overlay / "kustomization.yaml").read_text())
    settings["images"] = [{"name": "boardroom-operator", "newName": repository, "newTag": tag}]
    text = yaml.safe_dump(settings).replace("localhost/boardroom-operator:dev", PREVIOUS)
    (overlay / "kustomization.yaml").write_text(text)
    kubectl.run("apply", "--server-side", "-k", str(overlay))
    kubectl.run("-n", "boardroom-system", "rollout", "status", "deployment/boardroom-operator", "--timeout=120s")


def _board(executive: BoardOnPods) -> None:
    """A Ready board of five, and a pod that asks it one question after another, as its client."""
    labels = {"pod-security.kubernetes.io/enforce": "baseline"}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": executive.namespace, "labels": labels}}
    executive.apply(namespace, *adapters_claim(ROLES))
    executive.kubectl.run("wait", "job/fill-board-adapters", "--for=condition=Complete", "--timeout=120s")
    wanted = board(executive)
    wanted["spec"]["coordinator"] = {"auth": {"mode": "Kubernetes"}}
    executive.apply(wanted, *(member(executive, role) for role in ROLES))
    executive.wait_ready()
    executive.wait_members("5/5")
    executive.apply(_asker(executive.namespace))
    executive.kubectl.run("wait", "pod/asker", "--for=condition=Ready", "--timeout=60s")


def _asker(namespace: str) -> dict[str, Any]:
    token = {"serviceAccountToken": {"audience": "boardroom", "expirationSeconds": 3600, "path": "token"}}
    container = {
        "name": "asker",
        "image": PREVIOUS,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-c", ASKER],
        "volumeMounts": [{"name": "token", "mountPath": "/var/run/boardroom", "readOnly": True}],
    }
    spec = {
        "serviceAccountName": "executive-client",
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 0,
        "containers": [container],
        "volumes": [{"name": "token", "projected": {"sources": [token]}}],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "asker", "namespace": namespace}, "spec": spec}


def _asked(executive: BoardOnPods) -> list[str]:
    """One line for each question so far: how many members answered, or how it was lost."""
    return executive.kubectl.run("logs", "asker").splitlines()


def _template(executive: BoardOnPods) -> dict[str, Any]:
    """LoRAX's pod as its Deployment wants it, but for our own image, which follows when the pod is replaced anyway."""
    pod: dict[str, Any] = executive.get("deployment", "executive-lorax")["spec"]["template"]
    for container in pod["spec"]["containers"]:
        if container["name"] == "adapters":
            del container["image"]
    return pod


def _images(executive: BoardOnPods) -> list[str]:
    selector = f"boardroom.dev/board={executive.name},app.kubernetes.io/component=coordinator"
    pods = executive.kubectl.get("pods", None, "-l", selector)["items"]  # with those that still end
    return [pod["spec"]["containers"][0]["image"] for pod in pods]
