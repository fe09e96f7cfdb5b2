"""Fills the tables of docs/performance.md from bench/results; people write its text."""

import json
import re
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from bench import RESULTS, ROOT
from bench.ratios import ratios

PAGE: Final = ROOT / "docs" / "performance.md"
Results = Mapping[str, Any]


def saved() -> dict[str, Any]:
    """Every result that is committed, by the name of its file."""
    return {file.stem: json.loads(file.read_text()) for file in sorted(RESULTS.glob("*.json"))}


def save(name: str, result: Results) -> None:
    """Write one result."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")


def write() -> None:
    """Fill the page's marked tables and draw its plots."""
    results = saved()
    text = PAGE.read_text(encoding="utf-8")
    for name, table in TABLES.items():
        if f"<!-- bench:{name} -->" in text:
            text = _filled(text, name, table(results))
    PAGE.write_text(text, encoding="utf-8")
    python = ROOT / ".venv-bench" / "bin" / "python"
    subprocess.run([python, "-m", "bench.plots"], cwd=ROOT, check=True)


def _filled(text: str, name: str, table: str) -> str:
    block = re.compile(rf"(<!-- bench:{name} -->\n).*?(<!-- /bench -->)", re.DOTALL)
    return block.sub(lambda found: f"{found[1]}{table}\n{found[2]}", text)


def key_ratios(results: Results) -> str:
    """The claims."""
    return _table(["figure", "measured"], [[name, f"{value:g}"] for name, value in ratios(results).items()])


def overhead(results: Results) -> str:
    """Every row of the fan-out."""
    rows = [r for r in results.get("overhead", {}).get("rows", ()) if r["route"] == "/v1/ask"]
    return _loads(rows)


def single(results: Results) -> str:
    """One agent over OpenAI's route."""
    rows = [r for r in results.get("overhead", {}).get("rows", ()) if r["route"] != "/v1/ask"]
    return _loads(rows)


def curve(results: Results) -> str:
    """Wall time against one member's, and GPU-seconds, for the first profile."""
    points = results.get("curve", {}).get("points", ())
    if not points:
        return "not measured yet"
    first = points[0]["profile"]
    points = [p for p in points if p["profile"] == first]
    alone = next(p for p in points if p["members"] == 1 and p["way"] == "batch, warm")
    ways = list(dict.fromkeys(p["way"] for p in points))
    sizes = [n for n in dict.fromkeys(p["members"] for p in points) if n in (1, 3, 5, 10, 16, 32)]
    found = {(p["way"], p["members"]): p for p in points}
    return _table(
        ["way (wall time / one member's · GPU-seconds)", *(str(n) for n in sizes)],
        [
            [way, *(f"{found[way, n]['wall'] / alone['wall']:.2f} · {found[way, n]['gpu_seconds']:.1f}" for n in sizes)]
            for way in ways
        ],
    )


def savings(results: Results) -> str:
    """The claims of the document that the project came from."""
    points = results.get("curve", {}).get("points", ())
    rows = []
    for profile in dict.fromkeys(p["profile"] for p in points):
        found = {(p["way"], p["members"]): p for p in points if p["profile"] == profile}
        for members, claimed in ((3, 67), (5, 80), (10, 90)):
            batch, each = found["batch, warm", members], found["one GPU per agent, warm", members]
            saved_ = 100 * (1 - batch["gpu_seconds"] / each["gpu_seconds"])
            slower = batch["wall"] / each["wall"]
            rows.append([profile, str(members), f"{claimed} %", f"{saved_:.0f} %", f"{slower:.2f}"])
    return _table(
        ["profile", "members", "GPU time saved: claimed", "simulated", "wall time against one GPU per agent"], rows
    )


def churn(results: Results) -> str:
    """Adapters that come and go."""
    head = ["adapters", "places", "requests/s", "through", "loads per request", "p50 s", "p99 s", "wrong answers"]
    rows = [
        [
            str(row["adapters"]),
            str(row["places"]),
            f"{row['per_second']:g}",
            name,
            f"{row[f'loads_{key}'] / row['requests']:.3f}",
            f"{row[f'p50_{key}']:.2f}",
            f"{row[f'p99_{key}']:.2f}",
            f"{row[f'wrong_{key}']} of {row['requests']}",
            str(row[f"failed_{key}"]),
        ]
        for row in results.get("churn", {}).get("rows", ())
        for name, key in (("LoRAX alone", "alone"), ("the coordinator", "through_us"))
    ]
    return _table([*head, "refused"], rows)


def attribution(results: Results) -> str:
    """How many answers the named weights gave; one column for each way and LoRAX."""
    rows = results.get("attribution", {}).get("rows", ())
    if not rows:
        return "not measured yet"
    names = ("texts", "right", "base_model", "mixed", "other_member", "other_version", "unreadable")
    more = (
        *("weights_not_named", "torn_streams", "named_absences", "unnamed_absences"),
        *("aborts", "failed_prefills", "killed", "terminated"),
    )
    return _table(
        ["asked through", *("the coordinator" if row["guarded"] else "LoRAX alone" for row in rows)],
        [
            ["races lost", *(f"{row['stale_ready_probability']:.1%}" for row in rows)],
            ["memory for", *(f"{row['memory_for']} adapters" if row["memory_for"] else "all" for row in rows)],
            *([name.replace("_", " "), *(str(row[name]) for row in rows)] for name in (*names, *more)),
            ["share of wrong answers", *(f"{1 - row['right'] / row['texts']:.5%}" for row in rows)],
        ],
    )


def scale(results: Results) -> str:
    """The operator over many boards; one column for each number of boards."""
    rows = results.get("scale", {}).get("rows", ())
    if not rows:
        return "not measured yet"
    names = [name for name in rows[0] if name not in ("boards", "agents")]
    return _table(
        ["", *(f"{row['boards']:g} boards, {row['agents']:g} agents" for row in rows)],
        [[SCALE.get(name, name), *(f"{row[name]:g}" for row in rows)] for name in names],
    )


SCALE: Final = {
    "cold_children_s": "cold start: until every board has its children, s",
    "cold_children_cpu_s": "of one core until then, s",
    "cold_status_s": "cold start: until every board has a status, s",
    "cold_cpu_s": "of one core until then, s",
    "cold_writes": "writes until then",
    "settled_cpu_s": "of one core until pods are up and all is quiet, s",
    "settled_gets": "reads of single objects until then",
    "settled_applies": "objects applied",
    "settled_status_applies": "statuses applied",
    "settled_events": "Kubernetes Events written",
    "settled_reconciles": "reconciles",
    "settled_watch_events": "watch events received",
    "peak_mib": "memory at most, MiB",
    "settled_mib": "memory when all is quiet, MiB",
    "steady_seconds": "then observed for, s",
    "steady_writes": "writes in that time",
    "steady_cpu_s": "of one core in that time, with every board reconciled every 20 s, s",
    "new_board_s_p50": "one more board: until its children are there, s, p50",
    "new_board_s_p95": "p95",
    "agent_changed_s_p50": "a member's prompt changed: until its status has seen it, s, p50",
    "agent_changed_s_p95": "p95",
    "restart_ready_s": "operator started again: until it is ready, s",
    "restart_cpu_s": "of one core until every board has been reconciled, s",
    "restart_writes": "writes until then",
    "restart_peak_mib": "memory at most, MiB",
    "load": "load of the machine (15 minutes)",
}


def soak(results: Results) -> str:
    """Memory under load."""
    found = results.get("soak")
    if not found:
        return "not measured yet"
    samples = found["rss_mib"]
    head = ["in flight", "members", "for", "first", "middle", "last", "samples"]
    middle = samples[len(samples) // 2]
    row = [found["in_flight"], found["members"], f"{found['seconds']:g} s", samples[0], middle, samples[-1]]
    return _table(head, [[*map(str, row), str(len(samples))]])


def gpu(results: Results) -> str:
    """Decode steps of a batch with as many adapters, beside as many models."""
    found = results.get("gpu")
    if not found:
        return "not measured yet: no GPU has been at hand"
    size = found["size"]
    points = {(p["batch"], p["adapters"], p["context"]): p["ms"] for p in found["points"]}
    rows = []
    for each in found["separate"]:
        n = each["members"]
        base, shared, own = (points[n, a, size["context"]] for a in (0, 1, min(n, size["adapters"])))
        rows.append(
            [str(n), f"{base:.2f}", f"{shared:.2f}", f"{own:.2f}", f"{each['ms']:.2f}", f"{own / each['ms']:.2f}"]
        )
    head = ["batch", "no adapter, ms", "one adapter, ms", "an adapter each, ms", "as many models, ms", "ratio"]
    return _table(head, rows) + f"\n\n{found['parameters'] / 1e9:.2f}B parameters, {found['device']}"


def machine(results: Results) -> str:
    """Where each result was measured."""
    return _table(
        ["result", "date", "commit", "machine", "python -m"],
        [
            [
                name, m["date"], m["commit"], f"{m['cores']} cores, {m['cpu']}, Python {m['python']}",
                f"`{result['command'].removeprefix('python -m ')}`",
            ]
            for name, result in results.items()
            if (m := result.get("machine"))
        ],
    )  # fmt: skip


TABLES: Final[Mapping[str, Callable[[Results], str]]] = {
    "ratios": key_ratios,
    "overhead": overhead,
    "single": single,
    "curve": curve,
    "savings": savings,
    "churn": churn,
    "attribution": attribution,
    "scale": scale,
    "soak": soak,
    "gpu": gpu,
    "machine": machine,
}


def _loads(rows: Iterable[Mapping[str, Any]]) -> str:
    def middle(row: Mapping[str, Any], key: str, digits: int) -> str:
        return f"{row[key]['median']:.{digits}f}"

    def spread(row: Mapping[str, Any], key: str, digits: int) -> str:
        return f"{middle(row, key, digits)} ({row[key]['low']:.{digits}f}-{row[key]['high']:.{digits}f})"

    return _table(
        ["fan-out", "stream", "in flight", "service", "questions/s", "CPU ms", "p50 ms", "p99 ms", "first ms", "MiB"],
        [
            [
                str(row["members"]), "yes" if row["stream"] else "no", str(row["in_flight"]), row["service"],
                spread(row, "per_second", 0), spread(row, "cpu_ms", 3), middle(row, "p50_ms", 2),
                middle(row, "p99_ms", 2), middle(row, "first_ms", 2) if row["stream"] else "",
                middle(row, "rss_mib", 0),
            ]
            for row in rows
        ],
    )  # fmt: skip


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return "not measured yet"
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
