"""docs/reference/metrics.md has every metric as the registries describe it.

docs/how-to/observability.md has every alert and every attribute of a span.
"""

import re
from pathlib import Path

import pytest
import yaml

from unit.monitoring.pages import coordinator_page, operator_page, rows

ROOT = Path(__file__).parents[3]
METRICS = (ROOT / "docs/reference/metrics.md").read_text(encoding="utf-8")
PAGE = (ROOT / "docs/how-to/observability.md").read_text(encoding="utf-8")
RULES = ROOT / "charts" / "boardroom-operator" / "rules" / "boardroom.rules.yaml"


@pytest.mark.parametrize("page", [coordinator_page(), operator_page()], ids=["coordinator", "operator"])
def test_each_metric_is_in_the_documentation_as_it_describes_itself(page: bytes) -> None:
    table = "\n".join(rows(page))
    assert table in METRICS, table


def test_the_documentation_has_no_metric_that_is_not_there() -> None:
    named = set(re.findall(r"^\| `(boardroom_\w+)`", METRICS, re.MULTILINE))
    told = {row.split("`")[1] for page in (coordinator_page(), operator_page()) for row in rows(page)[2:]}
    assert named == told


def test_each_alert_leads_to_its_runbook() -> None:
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    alerts = {rule["alert"] for group in groups for rule in group["rules"]}
    assert set(re.findall(r"\[(\w+)\]\(\.\./runbooks/\1\.md\)", PAGE)) == alerts


def test_each_attribute_of_a_span_is_in_the_documentation() -> None:
    rooms = ROOT / "operator" / "boardroom"
    sources = [rooms / "coordinator" / name for name in ("spans.py", "http/request_log.py", "deliberation/panel.py")]
    sources.append(rooms / "telemetry" / "opentelemetry.py")
    pattern = r'"((?:boardroom|gen_ai|http|error|service)\.[a-z_.]+)"'
    set_there = {name for source in sources for name in re.findall(pattern, source.read_text(encoding="utf-8"))}
    assert {name for name in set_there if f"`{name}`" not in PAGE} == set()
