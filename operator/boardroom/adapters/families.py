"""The architecture of a base model, by its name."""

import tomllib
from functools import cache
from importlib import resources


def architecture(model: str) -> str | None:
    """Return the architecture of a model by its name; None if the name is unknown."""
    whole = model.lower().rstrip("/")
    name = whole.rsplit("/", 1)[-1]
    known = _architectures()
    prefixes = (prefix for prefix in known if (whole if "/" in prefix else name).startswith(prefix))
    prefix = max(prefixes, key=len, default=None)
    return known[prefix] if prefix is not None else None


@cache
def _architectures() -> dict[str, str]:
    text = resources.files(__package__).joinpath("families.toml").read_text(encoding="utf-8")
    architectures: dict[str, str] = tomllib.loads(text)["architectures"]
    return architectures
