"""Request bodies: null counts as absent."""

import pytest
from pydantic import ValidationError

from boardroom.api.request_body import RequestBody


class Body(RequestBody):
    must: str
    may: int = 3
    kind: str | None = None


def test_null_is_absent() -> None:
    assert Body.model_validate({"must": "x", "may": None, "kind": None}) == Body(must="x")


@pytest.mark.parametrize("body", [{"must": None}, {"must": "x", "other": 1}, [], None])
def test_what_must_be_there_or_is_unknown_is_refused(body: object) -> None:
    with pytest.raises(ValidationError):
        Body.model_validate(body)


def test_the_schema_allows_null_where_a_field_may_be_absent() -> None:
    properties = Body.model_json_schema()["properties"]
    allowed = {name: {"type": "null"} in field.get("anyOf", ()) for name, field in properties.items()}
    assert allowed == {"must": False, "may": True, "kind": True}
    assert properties["may"]["default"] == 3
