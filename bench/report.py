"""docs/performance.md: its tables are made from bench/results, its words are written by people."""

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
        block = re.compile(rf"(<!-- bench:{name} -->\n).*?(<!-- /bench -->)", re.DOTALL)
        if not block.search(text):
            continue
        made = table(results)
        text = block.sub(lambda found, made=made: f"{found[1]}{made}\n{found[2]}", text)  # type: ignore[misc]
    PAGE.write_text(text, encoding="utf-8")
    python = ROOT / ".venv-bench" / "bin" / "python"
    subprocess.run([python, "-m", "bench.plots"], cwd=ROOT, check=True)


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
    sizes = [n for n in dict.fromkeys(p["members"] for p in points) if n in (1, 2, 3, 5, 10, 16, 32)]
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
    rows = results.get("churn", {}).get("rows", ())
    return _table(
        ["adapters", "requests/s", "through", "loads per request", "p50 s", "p99 s", "wrong voices", "refused"],
        [
            [
                str(row["adapters"]), f"{row['per_second']:g}", name, f"{row[f'loads_{key}'] / row['requests']:.3f}",
                f"{row[f'p50_{key}']:.2f}", f"{row[f'p99_{key}']:.2f}", str(row[f"wrong_{key}"]),
                str(row[f"failed_{key}"]),
            ]
            for row in rows
            for name, key in (("LoRAX alone", "alone"), ("the coordinator", "through_us"))
        ],
    )  # fmt: skip


def machine(results: Results) -> str:
    """Where each result was measured."""
    return _table(
        ["result", "date", "commit", "machine", "command"],
        [
            [
                name, m["date"], m["commit"], f"{m['cores']} cores, {m['cpu']}, Python {m['python']}",
                f"`{result['command']}`",
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
    "machine": machine,
}


def _loads(rows: Iterable[Mapping[str, Any]]) -> str:
    def cell(row: Mapping[str, Any], key: str, digits: int) -> str:
        value = row[key]
        return f"{value['median']:.{digits}f} ({value['low']:.{digits}f}-{value['high']:.{digits}f})"

    return _table(
        ["fan-out", "stream", "in flight", "service", "questions/s", "CPU ms", "p50 ms", "p99 ms", "first ms", "MiB"],
        [
            [
                str(row["members"]), "yes" if row["stream"] else "no", str(row["in_flight"]), row["service"],
                cell(row, "per_second", 0), cell(row, "cpu_ms", 3), cell(row, "p50_ms", 2), cell(row, "p99_ms", 2),
                cell(row, "first_ms", 2) if row["stream"] else "", f"{row['rss_mib']['median']:.0f}",
            ]
            for row in rows
        ],
    )  # fmt: skip


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return "not measured yet"
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
