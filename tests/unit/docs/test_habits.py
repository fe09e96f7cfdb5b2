"""What contributors and their tools are given beside the code says what the Makefile and CI do."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]


def _yaml(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text())


def test_the_hooks_of_a_commit_are_commands_of_make_lint() -> None:
    makefile = (ROOT / "Makefile").read_text()
    recipe = makefile[makefile.index("\nlint:") : makefile.index(".PHONY: test-unit")]
    lint = {line.strip().removesuffix(" .").replace("$(BIN)", ".venv/bin") for line in recipe.splitlines()[2:] if line}
    hooks = [hook for repo in _yaml(".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]]
    assert {hook["entry"] for hook in hooks} <= lint
    assert len(hooks) == 4


def test_the_workflow_runs_what_ci_runs() -> None:
    workflow = _yaml(".github/workflows/ci.yml")
    assert [step["run"] for step in workflow["jobs"]["test"]["steps"] if "run" in step] == ["bash .ci/run"]
    assert set(workflow[True]) == {"push", "pull_request"}  # YAML 1.1 reads the key `on` as true
    assert workflow["permissions"] == {"contents": "read"}


def test_tools_get_the_python_and_go_that_the_project_needs() -> None:
    steps = _yaml(".github/workflows/ci.yml")["jobs"]["test"]["steps"]
    given = {name: value for step in steps for name, value in step.get("with", {}).items()}
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    makefile = (ROOT / "Makefile").read_text()
    needs = re.search(r"Python (\d\.\d+), Go (\d\.\d+)", makefile)
    assert needs is not None
    assert (given["python-version"], given["go-version"]) == needs.groups()
    assert container["image"].endswith(f":{needs[1]}-bookworm")
    assert [feature["version"] for feature in container["features"].values()] == [needs[2]]


@pytest.mark.parametrize("form", ["bug", "feature"])
def test_an_issue_form_asks_for_something_and_names_each_field_once(form: str) -> None:
    body = _yaml(f".github/ISSUE_TEMPLATE/{form}.yml")["body"]
    fields = [part["id"] for part in body if part["type"] != "markdown"]
    assert len(fields) == len(set(fields))
    assert any(part.get("validations", {}).get("required") for part in body)
