"""The Grafana dashboards ask for metrics that exist."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from unit.monitoring.expressions import metrics
from unit.monitoring.registries import coordinator, operator, series

FOLDER = Path(__file__).parents[3] / "charts" / "boardroom-operator" / "dashboards"
DASHBOARDS = {page.stem: json.loads(page.read_text(encoding="utf-8")) for page in sorted(FOLDER.glob("*.json"))}
OWN = {"board": coordinator, "operator": operator}
SHOWN_BY_ALERTS_ONLY = {
    "boardroom_build_info",
    "boardroom_operator_build_info",
    "boardroom_operator_resync_interval_seconds",
    "boardroom_status_writes_total",
    "boardroom_adapter_probes_total",
    "boardroom_lorax_wanted",
}


def targets(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for panel in dashboard["panels"]:
        yield from panel.get("targets", ())


def expressions(dashboard: dict[str, Any]) -> list[str]:
    """As Prometheus gets them: Grafana's own variables filled in."""
    intervals = {"$__rate_interval": "5m", "$__range": "1h"}
    found = [target["expr"] for target in targets(dashboard)]
    return [re.sub(r"\$__\w+", lambda m: intervals[m.group()], expr) for expr in found]


@pytest.mark.parametrize("name", DASHBOARDS)
def test_each_expression_asks_only_for_metrics_that_exist(name: str) -> None:
    assert all(metrics(expr) for expr in expressions(DASHBOARDS[name]))


@pytest.mark.parametrize("name", DASHBOARDS)
def test_each_metric_of_its_own_is_on_it(name: str) -> None:
    shown = {
        re.sub(r"_(bucket|sum|count)$", "", found) for expr in expressions(DASHBOARDS[name]) for found in metrics(expr)
    }
    own = {re.sub(r"_(bucket|sum|count)$", "", found) for found in series(OWN[name]())}
    ours = {found for found in own if found.startswith("boardroom_")}
    assert ours - shown - SHOWN_BY_ALERTS_ONLY == set()


@pytest.mark.parametrize("name", DASHBOARDS)
def test_data_source_and_boards_are_variables(name: str) -> None:
    dashboard = DASHBOARDS[name]
    variables = {variable["name"] for variable in dashboard["templating"]["list"]}
    used = set(re.findall(r"\$(?!__)\{?(\w+)", json.dumps(dashboard["panels"])))
    sources = {target["datasource"]["uid"] for target in targets(dashboard)}
    assert (used - variables, sources) == (set(), {"${datasource}"})
    assert variables - used == set()


@pytest.mark.parametrize("name", DASHBOARDS)
def test_panels_have_titles_of_their_own_and_do_not_overlap(name: str) -> None:
    panels = DASHBOARDS[name]["panels"]
    titles = [panel["title"] for panel in panels]
    assert len(set(titles)) == len(titles)
    taken: dict[tuple[int, int], str] = {}
    for panel in panels:
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x < 24, taken.setdefault((x, y), panel["title"])) == (True, panel["title"])
