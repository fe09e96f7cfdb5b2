"""Fields that stand twice in a body."""

import msgspec
import pytest

from boardroom.simulator.router.duplicates import duplicate_field


class Inner(msgspec.Struct):
    top: float = 1.0
    free: dict[str, object] = {}


class Body(msgspec.Struct):
    inputs: str = ""
    parameters: Inner | None = None
    many: list[Inner] = []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"inputs":"a"}', None),
        ('{"inputs":"a","inputs":"b"}', ("", "inputs")),
        ('{"parameters":{"top":1,"top":2}}', ("parameters", "top")),
        ('{"many":[{},{"top":1,"top":2}]}', ("many[1]", "top")),
        ('{"unknown":1,"unknown":2}', None),
        ('{"parameters":{"free":{"a":1,"a":2}}}', None),
        ('{"parameters":null}', None),
    ],
)
def test_a_field_that_is_known_stands_once(body: str, expected: tuple[str, str] | None) -> None:
    assert duplicate_field(body.encode(), Body) == expected
