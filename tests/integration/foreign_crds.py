"""CRDs of other projects, out of the Go modules that publish them, so that a real API server can judge what we ship."""

import hashlib
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml


@dataclass(frozen=True)
class ForeignCrd:
    """One CRD file of a module at a version; `sha256` is of that file."""

    module: str
    file: str
    sha256: str

    def load(self, folder: Path) -> dict[str, Any]:
        """The CRD; skips the test, saying why, where the module can't be had. `folder`: where there is no go.mod."""
        go = shutil.which("go")
        if go is None:
            pytest.skip(f"{self.module} comes from the Go module proxy, and there is no `go` on PATH")
        environment = os.environ | {"GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local", "GOWORK": "off"}
        done = subprocess.run(
            [go, "mod", "download", "-json", self.module],
            cwd=folder, env=environment, capture_output=True, text=True, timeout=280, check=False,
        )  # fmt: skip
        answer = json.loads(done.stdout or "{}")
        if "Dir" not in answer:
            pytest.skip(f"the Go module proxy does not give {self.module}: {answer.get('Error', done.stderr)}")
        text = (Path(answer["Dir"]) / self.file).read_bytes()
        assert hashlib.sha256(text).hexdigest() == self.sha256
        crd: dict[str, Any] = yaml.safe_load(text)
        return crd


ARGO_APPLICATION = ForeignCrd(
    "github.com/argoproj/argo-cd/v3@v3.3.0",
    "manifests/crds/application-crd.yaml",
    "ea5e7cf5facd3ed70fe25acb048a495e5f2f893bfc961a02de5cb741b9d630f6",
)
FLUX_HELM_RELEASE = ForeignCrd(
    "github.com/fluxcd/helm-controller@v1.4.0",
    "config/crd/bases/helm.toolkit.fluxcd.io_helmreleases.yaml",
    "96d8f931a7a0732f3b169f540af2b2af5ec3b37d3478c8beee70be21416a7259",
)
FLUX_KUSTOMIZATION = ForeignCrd(
    "github.com/fluxcd/kustomize-controller@v1.7.3",
    "config/crd/bases/kustomize.toolkit.fluxcd.io_kustomizations.yaml",
    "cdc8286a3c88ed441b486288416c7c3090cfeb0595ec2f15730cd3dac7be7f98",
)
FLUX_GIT = ForeignCrd(
    "github.com/fluxcd/source-controller@v1.8.0",
    "config/crd/bases/source.toolkit.fluxcd.io_gitrepositories.yaml",
    "6a79e5692f0f6de31fa1ea241d9d9aa9f3e1282dace7dbc8a41a66f2d83511a2",
)
FLUX_OCI = ForeignCrd(
    "github.com/fluxcd/source-controller@v1.8.0",
    "config/crd/bases/source.toolkit.fluxcd.io_ocirepositories.yaml",
    "b9d77e19b7aa03a50cce28860e644b19055b7b0aa1055e4c02c366fb779f1bcf",
)
SERVICE_MONITOR = ForeignCrd(
    "github.com/prometheus-operator/prometheus-operator@v0.92.1",
    "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
    "74fc686378f010fd8cde5e056af89d6ed84db166ac0aacc63d4b21e6c7605493",
)
PROMETHEUS_RULE = ForeignCrd(
    "github.com/prometheus-operator/prometheus-operator@v0.92.1",
    "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
    "d596a7ed0618fc29c36bb76ecd2ff11affa3595c683d413765097e43a339eb31",
)
