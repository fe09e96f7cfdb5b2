"""The metrics page as JSON, as LoRAX's main branch makes it out of the page's own text."""

from typing import Any, Final

_TYPE: Final = "# TYPE "


def families(page: str) -> dict[str, Any]:
    """Each family's type and samples.

    A sample's key is its series where it has labels; without any "sum" or "count" by the end of its name, else "":
    so the counter lorax_request_count has a "count".
    """
    found: dict[str, Any] = {}
    samples: list[dict[str, Any]] = []
    for line in filter(None, page.splitlines()):
        if line.startswith(_TYPE):
            name, kind = line.removeprefix(_TYPE).split()
            samples = []
            found[name] = {"type": kind, "data": samples}
            continue
        series, value = line.split()[:2]
        samples.append({"key": _key(series), "value": float(value)})
    return found


def _key(series: str) -> str:
    if "{" in series:
        return series
    return next((end for end in ("sum", "count") if series.endswith(f"_{end}")), "")
