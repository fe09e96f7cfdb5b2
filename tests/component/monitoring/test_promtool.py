"""Dashboards, metrics and alerts, as promtool judges them."""

import subprocess
from pathlib import Path

import pytest
import yaml

from unit.monitoring.pages import coordinator_page, operator_page
from unit.monitoring.test_dashboards import DASHBOARDS, expressions
from unit.monitoring.test_rules import ALERTS, GROUPS, RULES, TESTS


@pytest.mark.parametrize("name", DASHBOARDS)
def test_prometheus_takes_each_expression(name: str, promtool: Path, tmp_path: Path) -> None:
    rules = [{"record": f"a:b{i}", "expr": expr} for i, expr in enumerate(expressions(DASHBOARDS[name]))]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": name, "rules": rules}]}), encoding="utf-8")
    done = subprocess.run([promtool, "check", "rules", str(file)], check=False, capture_output=True, text=True)
    assert (done.returncode, f"{len(rules)} rules found" in done.stdout) == (0, True), done.stdout + done.stderr


def judged(promtool: Path, page: bytes) -> str:
    done = subprocess.run([promtool, "check", "metrics"], input=page, check=False, capture_output=True)
    return (done.stdout + done.stderr).decode() or f"exit status {done.returncode}"


def test_promtool_finds_no_fault_with_the_coordinators_metrics(promtool: Path) -> None:
    assert judged(promtool, coordinator_page()) == "exit status 0"


def test_promtool_finds_no_fault_with_the_operators_metrics(promtool: Path) -> None:
    assert judged(promtool, operator_page()) == "exit status 0"


def test_promtool_would_find_one(promtool: Path) -> None:
    assert "counter metrics should have" in judged(
        promtool, b"# HELP x_seconds X.\n# TYPE x_seconds counter\nx_seconds 1\n"
    )


def test_promtool_takes_the_rules(promtool: Path) -> None:
    done = subprocess.run([promtool, "check", "rules", str(RULES)], check=False, capture_output=True, text=True)
    assert (done.returncode, f"{len(ALERTS)} rules found" in done.stdout) == (0, True), done.stdout + done.stderr


def test_each_alert_fires_when_it_should_and_not_else(promtool: Path, tmp_path: Path) -> None:
    """Without annotations: promtool would want every word of them repeated in the tests."""
    for rule in ALERTS.values():
        assert rule["annotations"]
    bare = [g | {"rules": [{k: v for k, v in r.items() if k != "annotations"} for r in g["rules"]]} for g in GROUPS]
    (tmp_path / RULES.name).write_text(yaml.safe_dump({"groups": bare}), encoding="utf-8")
    (tmp_path / TESTS.name).write_text(TESTS.read_text(encoding="utf-8"), encoding="utf-8")
    done = subprocess.run(
        [promtool, "test", "rules", TESTS.name], check=False, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
