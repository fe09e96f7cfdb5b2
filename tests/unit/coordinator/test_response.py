"""The bodies of coordinator/response.py are those that boardroom.api.ask describes, and clients read."""

from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boardroom.api import ask as api
from boardroom.coordinator import response

FORMS = [form for form in vars(response).values() if isinstance(form, type) and issubclass(form, msgspec.Struct)]


def plain(kind: Any) -> Any:
    """A type with the structs in it by name, so that it compares with one that has pydantic's models."""
    if isinstance(kind, type) and not get_args(kind):
        return kind if issubclass(kind, (str, int, float, bool, NoneType)) else kind.__name__
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return frozenset(map(plain, get_args(kind)))
    if origin is Literal:
        return frozenset(get_args(kind))
    return origin, *map(plain, get_args(kind))


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_a_form_has_the_fields_types_and_defaults_of_the_model_that_describes_it(form: type[msgspec.Struct]) -> None:
    model = getattr(api, form.__name__)
    ours = get_type_hints(form)
    described = get_type_hints(model)
    fields = model.model_fields
    assert list(form.__struct_fields__) == list(fields)
    assert {name: plain(ours[name]) for name in fields} == {name: plain(described[name]) for name in fields}
    defaults = {field.name: field for field in msgspec.structs.fields(form)}
    assert [defaults[name].required for name in fields] == [field.is_required() for field in fields.values()]


@given(st.data())
def test_clients_read_of_a_body_what_the_coordinator_wrote(data: st.DataObject) -> None:
    answer = data.draw(bodies(response.AskResponse))
    body = response.encode(answer)
    assert msgspec.to_builtins(answer) == api.AskResponse.model_validate_json(body, strict=True).model_dump(mode="json")


def bodies(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of a type of these bodies."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        hints = get_type_hints(kind)
        return st.builds(kind, **{name: bodies(hints[name]) for name in kind.__struct_fields__})
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return st.sampled_from(kind)
    if get_origin(kind) is list:
        return st.lists(bodies(get_args(kind)[0]), max_size=2)
    if get_origin(kind) in (Union, UnionType):
        return st.one_of(*map(bodies, get_args(kind)))
    if get_origin(kind) is Literal:
        return st.sampled_from(get_args(kind))
    plain_values: dict[Any, st.SearchStrategy[Any]] = {
        NoneType: st.none(),
        bool: st.booleans(),
        int: st.integers(min_value=0, max_value=2**53),
        float: st.floats(min_value=0, max_value=1e9),
        str: st.text(max_size=8),
    }
    return plain_values[kind]
