"""crds/ is what the models say, and it is what an API server takes."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from boardroom.api.generate import crds

ROOT = Path(__file__).parents[3]
ALLOWED = {
    "type", "format", "description", "default", "enum", "pattern", "minimum", "maximum", "exclusiveMinimum",
    "minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "required", "properties",
    "items", "additionalProperties", "x-kubernetes-validations", "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys", "x-kubernetes-map-type", "x-kubernetes-int-or-string", "anyOf",
}  # fmt: skip


def schemas() -> Iterator[tuple[str, dict[str, Any]]]:
    for crd in crds.crds().values():
        root = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        for part in ("spec", "status"):
            yield from nodes(f"{crd['spec']['names']['kind']}.{part}", root["properties"][part])


def nodes(path: str, node: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from nodes(f"{path}.{name}", child)
    for key in ("items", "additionalProperties"):
        if key in node:
            yield from nodes(f"{path}.{key}", node[key])


NODES = list(schemas())


@pytest.mark.parametrize("name", list(crds.crds()))
def test_the_file_has_not_drifted_from_the_models(name: str) -> None:
    assert (ROOT / "crds" / name).read_text(encoding="utf-8") == crds.render(crds.crds()[name])


def test_crds_holds_no_other_definition() -> None:
    assert {p.name for p in (ROOT / "crds").glob("boardroom.dev_*.yaml")} == set(crds.crds())


@pytest.mark.parametrize(("path", "node"), NODES)
def test_every_node_is_structural(path: str, node: dict[str, Any]) -> None:
    assert set(node) - ALLOWED == set(), path
    if node.get("x-kubernetes-int-or-string"):
        assert (node["anyOf"], "type" in node) == ([{"type": "integer"}, {"type": "string"}], False), path
        return
    assert "anyOf" not in node, path
    assert node.get("type") in {"object", "array", "string", "integer", "boolean"}, path


@pytest.mark.parametrize(("path", "node"), NODES)
def test_every_field_is_described(path: str, node: dict[str, Any]) -> None:
    for name, child in node.get("properties", {}).items():
        assert child.get("description", "").endswith("."), f"{path}.{name}"


@pytest.mark.parametrize(("path", "node"), [n for n in NODES if ".spec" in n[0]])
def test_everything_a_user_writes_is_bounded(path: str, node: dict[str, Any]) -> None:
    kinds = {"integer", "string"} if node.get("x-kubernetes-int-or-string") else {node["type"]}
    if "array" in kinds:
        assert "maxItems" in node, path
    if "additionalProperties" in node:
        assert "maxProperties" in node, path
    if "string" in kinds and "enum" not in node:
        assert "maxLength" in node, path
    if "integer" in kinds:
        assert "minimum" in node, path


@pytest.mark.parametrize(("path", "node"), NODES)
def test_a_pattern_means_the_same_in_every_engine(path: str, node: dict[str, Any]) -> None:
    """Go's \\s is ASCII's, and Rust's and Python's are Unicode's."""
    rules = [rule["rule"] for rule in node.get("x-kubernetes-validations", ())]
    for pattern in (node.get("pattern", ""), *rules):
        assert re.search(r"\\[sdwbSDWB]", pattern) is None, path


@pytest.mark.parametrize("crd", list(crds.crds().values()), ids=lambda c: c["spec"]["names"]["kind"])
def test_an_object_nobody_has_looked_at_is_not_current_for_kstatus(crd: dict[str, Any]) -> None:
    status = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]
    assert status["default"] == {"observedGeneration": -1}
    assert status["properties"]["observedGeneration"]["default"] == -1


@pytest.mark.parametrize("crd", list(crds.crds().values()), ids=lambda c: c["spec"]["names"]["kind"])
def test_conditions_are_a_map_so_that_two_writers_can_own_some_each(crd: dict[str, Any]) -> None:
    status = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]
    conditions = status["properties"]["conditions"]
    assert (conditions["x-kubernetes-list-type"], conditions["x-kubernetes-list-map-keys"]) == ("map", ["type"])


def test_no_category_is_spelled_like_a_kind() -> None:
    """kubectl expands categories first: `kubectl get boardroom NAME` would mean both kinds, and fail."""
    names = [crd["spec"]["names"] for crd in crds.crds().values()]
    spelled = {
        spelling for n in names for spelling in (n["kind"].lower(), n["plural"], n["singular"], *n["shortNames"])
    }
    assert {category for n in names for category in n["categories"]} & spelled == set()
