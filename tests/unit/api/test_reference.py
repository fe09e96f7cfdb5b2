"""The field reference says what the schemas say."""

from pathlib import Path
from typing import Any

import pytest

from boardroom.api.generate import crds
from boardroom.api.generate.reference import MARKER, reference, with_reference

DOCS = Path(__file__).parents[3] / "docs"
BOARDROOMS = crds.crds()[crds.BOARDROOMS_FILE]


@pytest.mark.parametrize("crd", crds.crds().values(), ids=crds.page)
def test_the_page_has_not_drifted_from_the_models(crd: dict[str, Any]) -> None:
    page = (DOCS / crds.page(crd)).read_text(encoding="utf-8")
    assert with_reference(page, crd) == page, "run `make crds`"


def test_fields_of_lists_and_rules_are_told() -> None:
    rows = reference(BOARDROOMS).splitlines()
    (count,) = [row for row in rows if row.startswith("| `spec.lorax.gpu.count`")]
    assert count == (
        "| `spec.lorax.gpu.count` | integer | GPUs per LoRAX pod. LoRAX shards the model over several. "
        "From 1 to 16. Default `1`. |"
    )
    assert any(row.startswith("| `spec.lorax.resourceClaims[].resourceClaimName`") for row in rows)
    (claim,) = [row for row in rows if row.startswith("| `spec.model.cache`")]
    assert "Rule: storageClassName needs size." in claim


def test_what_people_wrote_above_the_marker_stays() -> None:
    assert with_reference(f"mine\n{MARKER}old", BOARDROOMS) == "mine\n" + reference(BOARDROOMS)
