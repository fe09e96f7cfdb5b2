"""The metrics page as JSON, which LoRAX's main branch derives from the page's text."""

from typing import Any, Final

_TYPE: Final = "# TYPE "


def families(page: str) -> dict[str, Any]:
    """Return each family's type and samples, by name.

    A sample's key is its series if it has labels; otherwise "sum" or "count" if its name ends so, else "". So the
    counter lorax_request_count has the key "count".
    """
    families_: dict[str, Any] = {}
    samples: list[dict[str, Any]] = []
    for line in filter(None, page.splitlines()):
        if line.startswith(_TYPE):
            name, kind = line.removeprefix(_TYPE).split()
            samples = []
            families_[name] = {"type": kind, "data": samples}
            continue
        series, value = line.split()[:2]
        samples.append({"key": _key(series), "value": float(value)})
    return families_


def _key(series: str) -> str:
    if "{" in series:
        return series
    return next((end for end in ("sum", "count") if series.endswith(f"_{end}")), "")
