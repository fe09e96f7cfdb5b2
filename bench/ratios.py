"""The few figures that carry the claims, out of whole results."""

from collections.abc import Iterable, Mapping
from typing import Any

Row = Mapping[str, Any]


def ratios(results: Mapping[str, Any]) -> dict[str, float]:
    """Each claim by its name; one whose results are not there is left out."""
    found: dict[str, float] = {}
    rows = results.get("overhead", {}).get("rows", ())
    for members in (1, 5, 15):
        for stream in (False, True):
            pair = _pair(rows, "go", route="/v1/ask", members=members, in_flight=32, stream=stream)
            if pair:
                kind = "streamed" if stream else "plain"
                found[f"CPU per question against Go, {kind}, fan-out {members}"] = _median(pair, "cpu_ms")
    first = _pair(rows, "upstream alone", route="/v1/ask", members=5, in_flight=1, stream=True)
    if first:
        ours, upstream = first
        found["ms added to the first token, fan-out 5"] = ours["first_ms"]["median"] - upstream["first_ms"]["median"]
    lite = _pair(rows, "litellm", route="/v1/chat/completions", members=1, in_flight=32, stream=False)
    if lite:
        found["questions/s against LiteLLM, one agent"] = _median(lite, "per_second")
    points = results.get("curve", {}).get("points", ())
    for members in (3, 5, 10):
        batch, each = (_point(points, way, members) for way in ("batch, warm", "one GPU per agent, warm"))
        if batch and each:
            found[f"% of GPU-seconds saved by a batch of {members}"] = 100 * (
                1 - batch["gpu_seconds"] / each["gpu_seconds"]
            )
    for row in results.get("churn", {}).get("rows", ()):
        if row["loads_alone"]:
            name = f"adapter loads against LoRAX alone, {row['adapters']} adapters at {row['per_second']:g}/s"
            name += f" in {row['places']} places"
            found[name] = row["loads_through_us"] / row["loads_alone"]
            where = name.partition(",")[2]
            found[f"wrong answers of {row['requests']} through the coordinator,{where}"] = row["wrong_through_us"]
    return {name: round(value, 3) for name, value in found.items()}


def _pair(rows: Iterable[Row], other: str, **wanted: Any) -> tuple[Row, Row] | None:
    """Ours and the other's row of the same load."""
    found = {row["service"]: row for row in rows if all(row[key] == value for key, value in wanted.items())}
    return (found["coordinator"], found[other]) if {"coordinator", other} <= set(found) else None


def _median(pair: tuple[Row, Row], key: str) -> float:
    ours, other = pair
    return float(ours[key]["median"]) / float(other[key]["median"])


def _point(points: Iterable[Row], way: str, members: int) -> Row | None:
    return next((p for p in points if (p["way"], p["members"]) == (way, members)), None)
