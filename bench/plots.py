"""The plots of docs/performance.md, in the environment that has matplotlib (.venv-bench)."""

import json
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt

from bench import RESULTS, ROOT

FOLDER = ROOT / "docs" / "performance"
_STYLES = ("o-", "s--", "^-", "v-.", "d-", "x:", "+-")


def board_curve(points: list[dict[str, Any]]) -> None:
    """Wall time and GPU-seconds by board size, for the first profile."""
    profile = points[0]["profile"]
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2))
    ways = list(dict.fromkeys(p["way"] for p in points))
    for way, style in zip(ways, _STYLES, strict=False):
        chosen = [p for p in points if (p["way"], p["profile"]) == (way, profile)]
        sizes = [p["members"] for p in chosen]
        left.plot(sizes, [p["wall"] for p in chosen], style, label=way, markersize=4)
        right.plot(sizes, [p["gpu_seconds"] for p in chosen], style, label=way, markersize=4)
    left.set(xlabel="members of the board", ylabel="seconds until the last answer", ylim=(0, 8))
    right.set(xlabel="members of the board", ylabel="GPU-seconds for one question", ylim=(0, 16))
    left.legend(fontsize=7)
    figure.suptitle(f"One question to N members, simulated: {profile}", fontsize=10)
    _save(figure, "board-curve")


def overhead(rows: list[dict[str, Any]]) -> None:
    """CPU per question at 32 in flight."""
    chosen = [r for r in rows if r["route"] == "/v1/ask" and r["in_flight"] == 32 and r["service"] != "upstream alone"]
    figure, axes = plt.subplots(figsize=(7, 3.6))
    labels = [f"fan-out {r['members']}{', streamed' if r['stream'] else ''}\n{r['service']}" for r in chosen]
    medians = [r["cpu_ms"]["median"] for r in chosen]
    spread = [
        [r["cpu_ms"]["median"] - r["cpu_ms"]["low"] for r in chosen],
        [r["cpu_ms"]["high"] - r["cpu_ms"]["median"] for r in chosen],
    ]
    colours = ["#3465a4" if r["service"] == "coordinator" else "#888a85" for r in chosen]
    axes.barh(labels, medians, xerr=spread, color=colours)
    axes.invert_yaxis()
    axes.tick_params(axis="y", labelsize=6)
    axes.set(xlabel="CPU ms per question, 32 in flight, upstream answers at once")
    _save(figure, "overhead")


def _save(figure: Any, name: str) -> None:
    FOLDER.mkdir(exist_ok=True)
    figure.tight_layout()
    figure.savefig(FOLDER / f"{name}.svg", metadata={"Date": None})
    plt.close(figure)


PLOTS: dict[str, tuple[str, Callable[[list[dict[str, Any]]], None]]] = {
    "curve": ("points", board_curve),
    "overhead": ("rows", overhead),
}

if __name__ == "__main__":
    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "boardroom"
    for name, (key, draw) in PLOTS.items():
        file = RESULTS / f"{name}.json"
        if file.exists():
            draw(json.loads(file.read_text())[key])
