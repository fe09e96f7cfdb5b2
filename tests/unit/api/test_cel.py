"""The part of CEL that our rules are written in."""

from typing import Any

import pytest

from boardroom.api.cel import CelError, compiled
from boardroom.api.cel_functions import EvaluationError
from boardroom.api.generate import crds


def rules(node: Any) -> list[str]:
    if isinstance(node, list):
        return [rule for each in node for rule in rules(each)]
    if not isinstance(node, dict):
        return []
    own = [validation["rule"] for validation in node.get("x-kubernetes-validations", ())]
    return own + [rule for each in node.values() for rule in rules(each)]


@pytest.mark.parametrize("rule", sorted({rule for crd in crds.crds().values() for rule in rules(crd)}))
def test_every_rule_of_the_crds_is_understood(rule: str) -> None:
    assert callable(compiled(rule))


@pytest.mark.parametrize(
    ("rule", "value", "expected"),
    [
        ("self == 1 || self == 2 && self == 3", 1, True),
        ("!(self == 1) || self == 1", 1, True),
        ("self + 1 == 3 && self - 1 == 1", 2, True),
        ("self > 1 ? self < 3 : self == 0", 2, True),
        ("self > 1 ? self < 3 : self == 0", 0, True),
        ("has(self.a) && has(self.a.b)", {"a": {"b": 1}}, True),
        ("has(self.a) && has(self.a.b)", {}, False),
        ("self.a.b[0] == 'x'", {"a": {"b": ["x"]}}, True),
        ("self.all(k, k.startsWith('a'))", {"ab": 1, "ac": 2}, True),
        ("self.all(k, k.startsWith('a'))", {"ab": 1, "b": 2}, False),
        ("self.exists(x, x == 'b')", ["a", "b"], True),
        ("self.filter(x, x).size() <= 1", [True, False, True], False),
        ("self.all(a, self.exists(b, b == a + 1) || a == 3)", [1, 2, 3], True),
        ("self in ['a', 'b'] && 'c' in {} == false", "b", True),
        ("self.split('/')[1] == 'b' && self.contains('/') && self.size() == 3", "a/b", True),
        (r"self.matches(r'^a\.b$')", "a.b", True),
        ("self.matches('^b$')", "b\n", False),
        ("'a=b'.split('=')[0] == \"a\"", None, True),
        ("isQuantity(self) && quantity(self).isGreaterThan(quantity('1023Mi'))", "1Gi", True),
        ("quantity(self).compareTo(quantity('1000m')) == 0", "1", True),
        ("type(self) == int ? quantity('0').add(self).compareTo(quantity('4k')) == 0 : false", 4000, True),
        ("type(self) == int", "4", False),
        ("self.a || true", {"a": False}, True),
    ],
)
def test_a_rule_is_true_or_false(rule: str, value: Any, expected: bool) -> None:
    assert compiled(rule)({"self": value}) is expected


@pytest.mark.parametrize("rule", ["self.a == 1 || true", "true || self.a == 1", "!(false && self.a == 1)"])
def test_a_failure_counts_only_where_it_decides(rule: str) -> None:
    assert compiled(rule)({"self": {}}) is True


@pytest.mark.parametrize(
    "rule", ["self.a == 1", "self.a == 1 || false", "!self.b", "quantity(self.c).compareTo(quantity('1')) == 0"]
)
def test_what_cannot_be_evaluated_fails(rule: str) -> None:
    with pytest.raises(EvaluationError):
        compiled(rule)({"self": {"b": 1, "c": "much"}})


@pytest.mark.parametrize("rule", ["self.map(x, x)", "now()", "self.lower()", "self ==", "self # 1", "[1", "1 2"])
def test_what_is_beyond_it_is_said(rule: str) -> None:
    with pytest.raises(CelError):
        compiled(rule)
