"""Each row of tests/tried/yaml_*.py by a real API server, which knows fields as strictly as `kubectl apply` asks it to.

tests/tried/test_yaml.py holds what `boardroom serve` makes of the same rows.
"""

import subprocess
from pathlib import Path

from boardroom.cluster import build
from boardroom.cluster.controlplane import ControlPlane
from integration.kube_api import KubeApi
from tried.yaml_table import Tried, tried

CREATE = {"dryRun": "All", "fieldValidation": "Strict"}
KUBECTL_ONLY = {"document: a merge of two"}
"""The API server takes no YAML in which two merges have one key; kubectl does, and sends JSON."""


def by_kubectl(kubeconfig: Path, kube: KubeApi, row: Tried) -> str:
    """Why kubectl refuses the document; empty where it is taken."""
    command = [str(build.program("kubectl")), "--kubeconfig", str(kubeconfig), "-n", kube.namespace]
    apply = [*command, "apply", "--dry-run=server", "-f", "-"]
    done = subprocess.run(apply, input=row.text, text=True, capture_output=True, timeout=60, check=False)
    return done.stderr if done.returncode else ""


def by_api_server(kube: KubeApi, row: Tried) -> str:
    """The same by the API server, which is given the text as it stands."""
    kind = "BoardAgent" if "kind: BoardAgent" in row.text else "Boardroom"
    written = "json" if row.text.startswith('{"') else "yaml"
    headers = {"Content-Type": f"application/{written}"}
    answer = kube.http.post(kube.path(kind), params=CREATE, content=row.text.encode(), headers=headers)
    assert answer.status_code in (201, 400, 422), answer.text
    return "" if answer.is_success else answer.json()["message"]


def test_an_api_server_gives_the_same_verdict_of_each_row(apiserver: ControlPlane, kube: KubeApi) -> None:
    rows = tried()
    assert len(rows) > 400
    verdicts = {
        row.name: by_kubectl(apiserver.kubeconfig, kube, row) if row.name in KUBECTL_ONLY else by_api_server(kube, row)
        for row in rows
    }
    differ = {row.name: verdicts[row.name] for row in rows if bool(row.refusal) != bool(verdicts[row.name])}
    assert differ == {}
