"""The architecture of a base model, as far as its name tells."""

import tomllib
from functools import cache
from importlib import resources


def architecture(model: str) -> str | None:
    """The architecture of a model by its name; None when the name says nothing."""
    whole = model.lower().rstrip("/")
    name = whole.rsplit("/", 1)[-1]
    known = _architectures()
    found = (prefix for prefix in known if (whole if "/" in prefix else name).startswith(prefix))
    prefix = max(found, key=len, default=None)
    return known[prefix] if prefix is not None else None


@cache
def _architectures() -> dict[str, str]:
    text = resources.files(__package__).joinpath("families.toml").read_text(encoding="utf-8")
    found: dict[str, str] = tomllib.loads(text)["architectures"]
    return found
