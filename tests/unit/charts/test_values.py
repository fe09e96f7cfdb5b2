"""Values, their schemas and the charts' READMEs say the same, and so do the CRDs in the chart and the models."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from boardroom import __version__
from boardroom.api.generate import charts, crds
from boardroom.api.manifest import read_manifests
from boardroom.api.settings import Defaults
from tools.values_table import CHARTS, page

BOTH = sorted(path for path in CHARTS.iterdir() if path.is_dir())
OPERATOR = CHARTS / "boardroom-operator"


def schema(chart: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((chart / "values.schema.json").read_text())
    return found


def values(chart: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((chart / "values.yaml").read_text())
    return found


def objects(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from objects(child, f"{path}.{name}")


@pytest.mark.parametrize("path", list(charts.generated()))
def test_what_is_generated_has_not_drifted(path: str) -> None:
    assert (CHARTS / path).read_text() == charts.generated()[path], "run `make crds`"


@pytest.mark.parametrize("chart", BOTH, ids=lambda c: c.name)
def test_the_readmes_table_has_not_drifted(chart: Path) -> None:
    assert page(chart) == (chart / "README.md").read_text(), "run `make crds`"


@pytest.mark.parametrize("chart", BOTH, ids=lambda c: c.name)
def test_every_value_is_described_and_nothing_else_is_taken(chart: Path) -> None:
    for path, node in objects(schema(chart)):
        if path:
            assert node.get("description", "").endswith("."), path
        if "properties" in node:
            assert node["additionalProperties"] is False, path


def test_every_value_of_the_operator_has_a_default() -> None:
    def defaults(node: dict[str, Any], given: dict[str, Any], path: str) -> Iterator[str]:
        for name, child in node["properties"].items():
            if name not in given:
                yield f"{path}{name}"
            elif "properties" in child and name != "defaults":
                yield from defaults(child, given[name], f"{path}{name}.")

    assert list(defaults(schema(OPERATOR), values(OPERATOR), "")) == ["global"]


def test_the_operators_defaults_of_boards_can_all_be_set() -> None:
    assert set(schema(OPERATOR)["properties"]["defaults"]["properties"]) == set(Defaults().to_env())


@pytest.mark.parametrize("chart", BOTH, ids=lambda c: c.name)
def test_charts_are_versioned_with_the_project(chart: Path) -> None:
    found = yaml.safe_load((chart / "Chart.yaml").read_text())
    assert (found["name"], found["version"], found["appVersion"]) == (chart.name, __version__, __version__)


def test_artifact_hub_is_told_the_crds_that_the_chart_has() -> None:
    annotations = yaml.safe_load((OPERATOR / "Chart.yaml").read_text())["annotations"]
    told = [(crd["name"], crd["kind"], crd["version"]) for crd in yaml.safe_load(annotations["artifacthub.io/crds"])]
    assert sorted(told) == sorted(
        (name, crd["spec"]["names"]["kind"], crd["spec"]["versions"][0]["name"])
        for name, crd in ((crd["metadata"]["name"], crd) for crd in crds.crds().values())
    )


def test_artifact_hubs_examples_are_a_board_and_its_member() -> None:
    annotations = yaml.safe_load((OPERATOR / "Chart.yaml").read_text())["annotations"]
    documents = yaml.safe_load(annotations["artifacthub.io/crdsExamples"])
    boards, agents = read_manifests([("", yaml.safe_dump_all(documents))])
    assert [agent.spec.boardroom_ref.name for agent in agents] == [board.metadata.name for board in boards]


def test_a_crd_that_helm_would_read_as_a_template_is_refused() -> None:
    (crd, *_) = crds.crds().values()
    with pytest.raises(ValueError, match=r"holds '\{\{'"):
        charts.crd_template(crd | {"spec": {"description": "{{ .Values }}"}})


def test_a_structural_schema_is_closed_for_helm_at_every_depth() -> None:
    either = [{"type": "integer"}, {"type": "string"}]
    quantity = {"x-kubernetes-int-or-string": True, "anyOf": either, "description": "Q."}
    structural = {
        "type": "object",
        "properties": {"list": {"type": "array", "items": {"type": "object", "properties": {"q": quantity}}}},
        "x-kubernetes-validations": [{"rule": "true"}],
    }
    assert charts.closed(structural) == {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "list": {
                "type": "array",
                "items": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {"q": {"description": "Q.", "anyOf": either}},
                },
            }
        },
    }
