"""docs/reference/boardroom.md and docs/reference/boardagent.md have an example of every field that users write.

That a real API server takes these examples as they stand: tests/integration/test_examples.py.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from boardroom.api.manifest import validate
from tools.pages import ROOT, objects

PAGES = ("reference/boardroom.md", "reference/boardagent.md")


@pytest.mark.parametrize("page", PAGES)
def test_every_field_of_the_reference_has_an_example(page: str) -> None:
    path = ROOT / "docs" / page
    told = set(re.findall(r"^\| `(spec\.[^`]+)`", path.read_text(encoding="utf-8"), re.MULTILINE))
    shown = {field for example in objects(path) for field in fields("spec", example["spec"])}
    assert len(told) > 10
    assert told - shown == set()


@pytest.mark.parametrize("page", PAGES)
def test_every_example_is_valid(page: str) -> None:
    for example in objects(ROOT / "docs" / page):
        assert validate(example)[1] == []


def fields(path: str, node: Any) -> Iterator[str]:
    """Paths as the reference writes them: `spec.lorax.env[].name`."""
    if isinstance(node, dict):
        for name, child in node.items():
            yield f"{path}.{name}"
            yield from fields(f"{path}.{name}", child)
    elif isinstance(node, list):
        for child in node:
            yield from fields(f"{path}[]", child)
