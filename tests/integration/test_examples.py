"""Each example is taken by a real API server as it stands, and so is all that the operator makes of it."""

from pathlib import Path

import pytest
import yaml

from boardroom.api.resources import Boardroom
from boardroom.api.settings import Defaults
from boardroom.cluster.controlplane import ControlPlane
from boardroom.controller.plan.blueprint import Blueprint, Image
from boardroom.controller.plan.children import children
from integration.kube_api import KubeApi, Object
from tools.pages import objects

MANIFESTS = Path(__file__).parents[2] / "manifests"
BASE = MANIFESTS / "base"
EXAMPLES = sorted((MANIFESTS / "examples").glob("*.yaml"))
DOCS = MANIFESTS.parent / "docs"
DRY_RUN = {"dryRun": "All", "fieldValidation": "Strict"}


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_taken_with_all_that_is_made_of_it(kube: KubeApi, file: Path) -> None:
    boards = []
    for document in yaml.safe_load_all(file.read_text(encoding="utf-8")):
        response = kube.try_create(document, **DRY_RUN)
        assert response.status_code == 201, response.text
        if document["kind"] == "Boardroom":
            boards.append(Boardroom.model_validate(response.json()))
    assert boards != []
    for board in boards:
        plan = Blueprint(board=board, defaults=Defaults(), image=Image(name="boardroom-operator:1"))
        for child in children(plan, lambda _kind, _name: None):
            if child.manifest is not None:
                applied = kube.apply(child.kind.path(kube.namespace, child.name), child.manifest, **DRY_RUN)
                assert applied.status_code == 201, applied.text
                # A server drops what it does not know without a word.
                assert set(_pod(child.manifest)) - set(_pod(applied.json())) == set()


@pytest.mark.parametrize("page", ["reference/boardroom.md", "reference/boardagent.md"])
def test_the_examples_of_the_field_reference_are_taken(kube: KubeApi, page: str) -> None:
    answers = [kube.try_create(example, **DRY_RUN) for example in objects(DOCS / page)]
    assert [answer.text for answer in answers if answer.status_code != 201] == []
    assert len(answers) > 2


@pytest.mark.parametrize("name", ["deployment.yaml", "service.yaml", "pdb.yaml"])
@pytest.mark.usefixtures("operator_kubeconfig")
def test_what_installs_the_operator_is_taken(apiserver: ControlPlane, name: str) -> None:
    obj = yaml.safe_load((BASE / name).read_text(encoding="utf-8"))
    with KubeApi(apiserver.kubeconfig, apiserver.server, obj["metadata"]["namespace"]) as system:
        response = system.try_create(obj, **DRY_RUN)
        assert response.status_code == 201, response.text


def _pod(obj: Object) -> Object:
    found: Object = obj.get("spec", {}).get("template", {}).get("spec", {})
    return found
