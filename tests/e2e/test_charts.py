"""Both charts on real pods, by Helm 4: the operator taken over from plain manifests, a board from values."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import yaml

from boardroom.cli.kubectl import Kubectl
from e2e.board_on_pods import ROLES, BoardOnPods, adapters_claim
from tools import install_page
from tools.helm import CHARTS, Helm, HelmError
from tools.waiting import until

pytestmark = pytest.mark.e2e

SYSTEM = "boardroom-system"
IMAGE = (
    "image.repository=localhost/boardroom-operator,image.tag=dev,"
    "defaults.AOS_LORAX_IMAGE=localhost/boardroom-operator:dev"
)
Page = Callable[[str], str]
OWNED = "deployments,services,networkpolicies,serviceaccounts,roles,rolebindings,pods,boardrooms,boardagents"
ENFORCE = "pod-security.kubernetes.io/enforce"
BOARD = str(CHARTS / "boardroom")


@pytest.fixture(scope="module")
def helm(operator: BoardOnPods, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    return Helm.of("helm4", tmp_path_factory.mktemp("helm"), operator.kubectl.kubeconfig)


@pytest.fixture(scope="module")
def page(operator: BoardOnPods, tmp_path_factory: pytest.TempPathFactory) -> Page:
    """Runs a block of docs/getting-started/install.md on the cluster."""
    home, kube = tmp_path_factory.mktemp("page"), operator.kubectl
    assert kube.kubeconfig
    return partial(install_page.run, home=home, kubeconfig=kube.kubeconfig, kubectl=kube.program, image=IMAGE)


@pytest.fixture(scope="module")
def installed(operator: BoardOnPods, helm: Helm, page: Page) -> Iterator[BoardOnPods]:
    """The session's operator under Helm's care for the tests of this module, then from plain manifests again."""
    page("helm-takeover")
    yield operator
    helm.run("uninstall", "boardroom-operator", "--namespace", SYSTEM, "--wait", "--timeout", "2m")
    page("kustomize")


@pytest.fixture
def chart_board(installed: BoardOnPods) -> Iterator[BoardOnPods]:
    """A namespace for a board `executive`, with nothing in it."""
    kube = installed.kubectl
    board = BoardOnPods(Kubectl(program=kube.program, kubeconfig=kube.kubeconfig, namespace="chart-board"))
    labels = {ENFORCE: "baseline"}
    board.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": board.namespace, "labels": labels}})
    yield board
    board.kubectl.run("delete", "boardagents,boardrooms", "--all", "--cascade=foreground")
    board.kubectl.run("delete", "namespace", board.namespace, "--timeout=120s")


def test_plain_manifests_are_taken_over_and_boards_go_on(executive: BoardOnPods, installed: BoardOnPods) -> None:
    before = executive.lorax_pod()
    managed = installed.kubectl.run("get", "deployment/boardroom-operator", "--namespace", SYSTEM, "--show-labels")
    assert "app.kubernetes.io/managed-by=Helm" in managed
    assert len(executive.ask().raise_for_status().json()["agents_involved"]) == 5
    assert executive.lorax_pod() == before


def test_boards_go_on_without_the_operator_and_a_fresh_release_passes_its_test(
    executive: BoardOnPods, installed: BoardOnPods, helm: Helm, page: Page
) -> None:
    before = executive.lorax_pod()
    helm.run("uninstall", "boardroom-operator", "--namespace", SYSTEM, "--wait", "--timeout", "2m")
    everything = "deployments,services,serviceaccounts,networkpolicies,roles,rolebindings,clusterroles,crds"
    release = installed.kubectl.run("get", everything, "-A", "-l", "helm.sh/chart", "-o", "name").split()
    assert release == []
    assert installed.names("boardrooms") == []  # of this namespace: the kinds are still served
    assert "Succeeded" in page("helm-operator")
    assert len(executive.ask().raise_for_status().json()["agents_involved"]) == 5
    assert executive.lorax_pod() == before


def test_a_board_from_values_is_waited_for_changed_and_removed(chart_board: BoardOnPods, helm: Helm) -> None:
    where = ("executive", BOARD, "--namespace", chart_board.namespace)
    wait = ("--wait", "--timeout", "5m")
    # Suspended until the claim that the release brings is filled. Its members can't be Ready yet, so nothing waits.
    helm.run("install", *where, "--set", "adaptersClaim.create=true,adaptersClaim.size=1Gi,spec.suspend=true")
    fill = [obj for obj in adapters_claim(ROLES) if obj["kind"] == "Job"]
    chart_board.apply(*(obj | {"metadata": obj["metadata"] | {"namespace": chart_board.namespace}} for obj in fill))
    chart_board.kubectl.run("wait", "job/fill-board-adapters", "--for=condition=Complete", "--timeout=120s")

    try:
        helm.run("upgrade", *where, *wait, "--reuse-values", "--set", "spec.suspend=false")
    except HelmError as error:
        pods = chart_board.kubectl.run("get", "pods", "-o", "wide")
        lorax = chart_board.kubectl.run("logs", "deployment/executive-lorax", "-c", "lorax", "--tail=20")
        pytest.fail(f"{error}\n{pods}\n{lorax}")
    status = chart_board.get("boardroom", "executive")["status"]
    assert (chart_board.condition("Ready")["status"], status["agents"]) == ("True", "5/5")
    assert len(chart_board.ask().raise_for_status().json()["agents_involved"]) == 5

    before = chart_board.lorax_pod()
    changed = "members.cmo=null,members.ceo.systemPrompt=You are brief."
    helm.run("upgrade", *where, *wait, "--reuse-values", "--set", changed)
    until("four answer", lambda: len(chart_board.ask().json().get("agents_involved", [])) == 4)
    assert chart_board.get("boardagent", "executive-ceo")["spec"]["systemPrompt"] == "You are brief."
    assert chart_board.lorax_pod() == before

    helm.run("upgrade", *where, *wait, "--reuse-values", "--set", "spec.lorax.adapterCacheSize=20")
    helm.run("rollback", "executive", "--namespace", chart_board.namespace, *wait)  # to a pod template of before
    assert chart_board.get("boardroom", "executive")["status"]["lorax"]["effective"]["adapterCacheSize"] == 100
    assert chart_board.condition("LoraxReady")["reason"] == "Ready"

    with pytest.raises(HelmError) as failed:  # what waits for somebody is not waited for: the test ends before the hour
        helm.run("upgrade", *where, "--wait", "--timeout", "1h", "--reuse-values", "--set", "members.twin.role=ceo")
    assert "executive-twin not ready. status: Failed" in str(failed.value)
    assert "spec.role 'ceo' is taken by BoardAgent 'executive-ceo'" in str(failed.value)

    helm.run("uninstall", "executive", "--namespace", chart_board.namespace, "--wait", "--timeout", "3m")
    filler = ("pod/fill-board-adapters", "serviceaccount/default")

    def left() -> list[str]:
        return [name for name in chart_board.names(OWNED) if not name.startswith(filler)]

    until("nothing is left", lambda: left() == [], 240.0)
    assert chart_board.names("persistentvolumeclaims") == ["persistentvolumeclaim/board-adapters"]  # by its policy


def test_waiting_for_a_board_that_stalls_fails_with_its_reason(
    chart_board: BoardOnPods, helm: Helm, tmp_path: Path
) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump({"name": "stalls", "spec": {"enableLorax": False}}))
    flags = ("--namespace", chart_board.namespace, "--values", str(file), "--wait", "--timeout", "30s")
    with pytest.raises(HelmError) as failed:
        helm.run("install", "stalls", BOARD, *flags)
    assert "Boardroom/chart-board/stalls not ready. status: Failed" in str(failed.value)
    assert "spec.standardInference" in str(failed.value)
