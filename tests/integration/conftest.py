"""A real kube-apiserver for the whole run, with the CRDs in it; a namespace of its own for each test."""

import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from boardroom.api.generate import crds
from boardroom.cluster.controlplane import ControlPlane
from boardroom.cluster.pki import Identity
from integration.kube_api import KubeApi
from integration.operator_process import OperatorProcess
from tools.waiting import until

KINDS = ("Boardroom", "BoardAgent")
ROOT = Path(__file__).parents[2]
BASE = ROOT / "manifests" / "base"
IDENTITY = Identity(
    name="operator",
    common_name="system:serviceaccount:boardroom-system:boardroom-operator",
    organization="system:serviceaccounts",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.integration)
            # The first run builds kube-apiserver.
            item.add_marker(pytest.mark.timeout(1500))


@pytest.fixture(scope="session")
def apiserver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane with the CRDs installed; the controller manager makes pods and collects garbage, nothing runs."""
    print("starting a kube-apiserver of the tests' own (built first where missing)", file=sys.stderr)
    with ControlPlane(tmp_path_factory.mktemp("apiserver"), controller_manager=True) as control_plane:
        with KubeApi(control_plane.kubeconfig, control_plane.server) as kube:
            root = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
            for crd in crds.crds().values():
                kube.apply(f"{root}/{crd['metadata']['name']}", crd).raise_for_status()
            until("the CRDs are served", lambda: all(kube.http.get(kube.path(k)).is_success for k in KINDS))
        yield control_plane


@pytest.fixture
def kube(apiserver: ControlPlane) -> Iterator[KubeApi]:
    """A client in a namespace of the test's own."""
    yield from _own_namespace(apiserver)


@pytest.fixture
def second_kube(apiserver: ControlPlane) -> Iterator[KubeApi]:
    """The same in another namespace."""
    yield from _own_namespace(apiserver)


@pytest.fixture
def namespace(kube: KubeApi) -> str:
    """The name of the test's own namespace."""
    return kube.namespace


@pytest.fixture(scope="session")
def operator_kubeconfig(apiserver: ControlPlane) -> Path:
    """The operator's service account, bound by the rules in manifests/base."""
    with KubeApi(apiserver.kubeconfig, apiserver.server) as kube:
        namespace = yaml.safe_load((BASE / "namespace.yaml").read_text())
        kube.apply("/api/v1/namespaces/boardroom-system", namespace).raise_for_status()
        for obj in yaml.safe_load_all((BASE / "rbac.yaml").read_text()):
            if obj["kind"] != "ServiceAccount":
                place = obj["metadata"].get("namespace")
                scope = f"namespaces/{place}/" if place else ""
                path = f"/apis/rbac.authorization.k8s.io/v1/{scope}{obj['kind'].lower()}s/{obj['metadata']['name']}"
                kube.apply(path, obj).raise_for_status()
    return apiserver.write_kubeconfig(IDENTITY)


@pytest.fixture(scope="module")
def operator(operator_kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatorProcess]:
    """The operator, for the tests of one module; it resyncs every second so that idleness can be observed."""
    log = tmp_path_factory.mktemp("operator") / "log"
    with OperatorProcess(operator_kubeconfig, log, "--resync-seconds", "1") as process:
        process.start()
        yield process


@pytest.fixture
def operator_here(operator_kubeconfig: Path, kube: KubeApi, tmp_path: Path) -> Iterator[OperatorProcess]:
    """The same for the test's own namespace only: others may be being deleted just now."""
    flags = ["--namespace", kube.namespace, "--resync-seconds", "1"]
    with OperatorProcess(operator_kubeconfig, tmp_path / "log", *flags) as process:
        process.start()
        yield process


def _own_namespace(apiserver: ControlPlane) -> Iterator[KubeApi]:
    name = f"test-{uuid.uuid4().hex[:8]}"
    with KubeApi(apiserver.kubeconfig, apiserver.server, name) as kube:
        kube.http.post("/api/v1/namespaces", json={"metadata": {"name": name}}).raise_for_status()
        until("its default ServiceAccount", lambda: kube.get("ServiceAccount", "default"))
        yield kube
        kube.http.delete(f"/api/v1/namespaces/{name}").raise_for_status()
