"""The alerts: each has tests (component/monitoring/test_promtool.py runs them), a runbook and words for people."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from boardroom.api.generate import crds
from unit.monitoring.expressions import metrics

ROOT = Path(__file__).parents[3]
RULES = ROOT / "charts" / "boardroom-operator" / "rules" / "boardroom.rules.yaml"
TESTS = Path(__file__).parent / "alerts.yaml"
RUNBOOKS = ROOT / "docs" / "runbooks"
BASE = "https://boardroom.dev/docs/runbooks/"
GROUPS: list[dict[str, Any]] = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
ALERTS = {rule["alert"]: rule for group in GROUPS for rule in group["rules"]}
CASES: list[dict[str, Any]] = yaml.safe_load(TESTS.read_text(encoding="utf-8"))["tests"]


def expected(alert: str) -> list[list[dict[str, Any]]]:
    return [t["exp_alerts"] for case in CASES for t in case["alert_rule_test"] if t["alertname"] == alert]


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_has_a_test_in_which_it_fires_and_one_in_which_it_does_not(alert: str) -> None:
    found = expected(alert)
    assert [any(found), all(found)] == [True, False]


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_says_which_board_and_where_its_runbook_is(alert: str) -> None:
    rule = ALERTS[alert]
    said = rule["annotations"]
    labels = {name for alerts in expected(alert) for one in alerts for name in one["exp_labels"]}
    used = set(re.findall(r"\$labels\.(\w+)", said["summary"] + said["description"]))
    named = {"board", "namespace" if "namespace" in labels else "board_namespace"} if "board" in labels else set()
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert (used - labels, named - used) == (set(), set())
    assert said["runbook_url"] == f"{BASE}{alert}.md"
    assert (RUNBOOKS / f"{alert}.md").is_file()


def test_each_runbook_is_of_an_alert_and_says_the_four_things() -> None:
    pages = {page.stem: page.read_text(encoding="utf-8") for page in RUNBOOKS.glob("*.md") if page.stem != "README"}
    assert set(pages) == set(ALERTS)
    parts = ["Meaning", "Impact", "How to see it", "Remedy"]
    assert {name: re.findall(r"^## (.*)$", page, re.MULTILINE) for name, page in pages.items()} == dict.fromkeys(
        pages, parts
    )


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_asks_only_for_metrics_that_exist(alert: str) -> None:
    assert metrics(ALERTS[alert]["expr"])


def fields(schema: dict[str, Any], path: str = "spec") -> set[str]:
    """Every field below, by its path."""
    found = {path}
    for name, inner in schema.get("items", schema).get("properties", {}).items():
        found |= fields(inner, f"{path}.{name}")
    return found


def test_runbooks_and_the_documentation_name_only_fields_that_exist() -> None:
    schemas = [
        crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"] for crd in crds.crds().values()
    ]
    existing = set().union(*(fields(schema) for schema in schemas))
    pages = [page for page in (ROOT / "docs").rglob("*.md") if page.parent.name != "decisions"]
    named = {found for page in pages for found in re.findall(r"`(spec\.[\w.]+)", page.read_text(encoding="utf-8"))}
    assert named - existing == set()
