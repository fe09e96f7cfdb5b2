"""The documentation's kubectl commands on a real API server of their own, in the names of a board that is there."""

import os
import shlex
import subprocess
from collections.abc import Iterator

import pytest
import yaml

from boardroom.cluster import build
from boardroom.cluster.controlplane import ControlPlane
from integration.kube_api import MERGE, KubeApi, Object
from tools.pages import ROOT, commands, pages
from tools.waiting import until
from unit.docs.proofs import ON_A_SERVER, proof

NAMESPACE = "team"
NAMES = {"NAMESPACE": NAMESPACE, "BOARD": "executive", "AGENT": "ceo"}
SAID = {c for page in pages() for c in commands(page) if (proof(c) or ("", ""))[1] == ON_A_SERVER}
ENDS = sorted((command for command in SAID if command.startswith("kubectl delete")), reverse=True)
NOW = "2026-11-25T00:00:00Z"


def conditions(*types: str) -> list[Object]:
    reason = {"status": "True", "reason": "Said", "message": "words", "lastTransitionTime": NOW}
    return [{"type": name} | reason for name in types]


STATUS: dict[str, Object] = {
    "Boardroom": {
        "conditions": conditions("Ready", "Stalled", "LoraxReady", "CoordinatorReady"),
        "lorax": {
            "running": True, "totalAdapters": 5, "loadedAdapters": 5, "metrics": {"cacheHitRatePercent": 100},
            "effective": {
                "enabled": True, "image": "lorax:1", "port": 8080, "adapterCacheSize": 100,
                "maxConcurrentRequests": 128, "maxMembers": 15,
            },
        },
    },
    "BoardAgent": {"conditions": conditions("AdapterReady"), "adapter": {"path": "/models/ceo_lora_adapter"}},
}  # fmt: skip


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Where kubectl finds a server with the CRDs as the page on installing installs them, and the executive board."""
    with ControlPlane(tmp_path_factory.mktemp("documented")) as plane:
        kubeconfig = plane.kubeconfig
        path = f"{build.ensure('kubectl')}:{os.environ['PATH']}"
        found = os.environ | {"PATH": path, "KUBECONFIG": str(kubeconfig)}
        assert run("kubectl apply --server-side -k crds", found).returncode == 0
        with KubeApi(kubeconfig, plane.server, NAMESPACE) as kube:
            kube.http.post("/api/v1/namespaces", json={"metadata": {"name": NAMESPACE}}).raise_for_status()
            until("the CRDs are served", lambda: all(kube.http.get(kube.path(kind)).is_success for kind in STATUS))
            example = ROOT / "manifests/examples/executive-board.yaml"
            for document in yaml.safe_load_all(example.read_text(encoding="utf-8")):
                kube.create(document)
                status = f"{kube.path(document['kind'], document['metadata']['name'])}/status"
                body = {"status": STATUS[document["kind"]]}
                kube.http.patch(status, json=body, headers=MERGE).raise_for_status()
        yield found


def run(command: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        env=environment, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("command", [*sorted(SAID - set(ENDS)), *ENDS])
def test_a_command_of_the_documentation_does_what_it_says(command: str, environment: dict[str, str]) -> None:
    for placeholder, name in NAMES.items():
        command = command.replace(placeholder, name)
    words = shlex.split(command)
    if not {"-n", "-A", "-k", "--all-namespaces"} & set(words):
        command += f" -n {NAMESPACE}"
    done = run(command, environment)
    assert done.returncode == 0, done.stderr
    if any(word.startswith("jsonpath") for word in words):
        assert done.stdout.strip(), "the field is not where the page says"
    assert "<no description>" not in done.stdout  # kubectl explain
