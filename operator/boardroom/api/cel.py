"""The subset of CEL that the rules of our CRDs use, so that a file is validated by the API server's own rules.

Compiling a rule beyond the subset raises CelError: one test compiles all rules of the CRDs, and another compares the
results with a real API server's (docs/decisions/0027).
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Final

from boardroom.api.cel_functions import FUNCTIONS, METHODS, EvaluationError, infix

Scope = Mapping[str, Any]
Expression = Callable[[Scope], Any]

_TOKEN: Final = re.compile(
    r"\s*(?:(?P<int>\d+)|(?P<raw>r'[^']*'|r\"[^\"]*\")|(?P<text>'[^'\\]*'|\"[^\"\\]*\")|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<sign>&&|\|\||[=!<>]=|[-+!<>?:.,()\[\]{}]))"
)
_MACROS: Final = ("all", "exists", "filter")
_LITERALS: Final[Mapping[str, Any]] = {"true": True, "false": False, "null": None, "int": int}
_COMPARED: Final = ("==", "!=", "<", "<=", ">", ">=", "in")


class CelError(ValueError):
    """A rule uses CEL beyond the supported subset."""


@cache
def compiled(rule: str) -> Expression:
    """A CEL rule as a function of its variables. The function raises EvaluationError where the API server fails."""
    parser = _Parser(rule)
    expression = parser.expression()
    parser.end()
    return expression


def _tokens(rule: str) -> list[tuple[str, str]]:
    tokens, at = [], 0
    while rule[at:].strip():
        match = _TOKEN.match(rule, at)
        if match is None or match.lastgroup is None:
            raise CelError(f"{rule}: unsupported text at {at}")
        tokens.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return tokens


class _Parser:
    """A recursive-descent parser with one method for each level of CEL's grammar."""

    def __init__(self, rule: str) -> None:
        self._rule, self._tokens, self._at = rule, _tokens(rule), 0

    def end(self) -> None:
        if self._at < len(self._tokens):
            raise CelError(f"{self._rule}: {self._peek()!r} is not supported")

    def expression(self) -> Expression:
        condition = self._or()
        if not self._take("?"):
            return condition
        then = self._or()
        self._need(":")
        otherwise = self.expression()
        return lambda scope: then(scope) if _boolean(condition(scope)) else otherwise(scope)

    def _or(self) -> Expression:
        parts = [self._and()]
        while self._take("||"):
            parts.append(self._and())
        return parts[0] if len(parts) == 1 else lambda scope: _any((part, scope) for part in parts)

    def _and(self) -> Expression:
        parts = [self._relation()]
        while self._take("&&"):
            parts.append(self._relation())
        return parts[0] if len(parts) == 1 else lambda scope: not _any((_negated(part), scope) for part in parts)

    def _relation(self) -> Expression:
        left = self._sum()
        while self._peek() in _COMPARED:
            left = _binary(infix(self._next()), left, self._sum())
        return left

    def _sum(self) -> Expression:
        left = self._unary()
        while self._peek() in ("+", "-"):
            left = _binary(infix(self._next()), left, self._unary())
        return left

    def _unary(self) -> Expression:
        return _negated(self._unary()) if self._take("!") else self._member()

    def _member(self) -> Expression:
        target = self._primary()
        while True:
            if self._take("."):
                name = self._name()
                target = self._call(target, name) if self._take("(") else _field(target, name)
            elif self._take("["):
                index = self.expression()
                self._need("]")
                target = _index(target, index)
            else:
                return target

    def _call(self, target: Expression, name: str) -> Expression:
        if name in _MACROS:
            variable = self._name()
            self._need(",")
            body = self.expression()
            self._need(")")
            return _macro(name, target, variable, body)
        if name not in METHODS:
            raise CelError(f"{self._rule}: the method {name} is not supported")
        return _applied(METHODS[name], (target, *self._list(")")))

    def _primary(self) -> Expression:
        if self._take("("):
            inner = self.expression()
            self._need(")")
            return inner
        if self._take("["):
            items = self._list("]")
            return lambda scope: [item(scope) for item in items]
        if self._take("{"):
            self._need("}")
            return _constant({})
        kind, token = self._token()
        if kind == "name":
            return self._named(token)
        if kind == "sign":
            raise CelError(f"{self._rule}: {token!r} is not supported")
        return _constant(_literal(kind, token))

    def _named(self, name: str) -> Expression:
        if name in _LITERALS:
            return _constant(_LITERALS[name])
        if not self._take("("):
            return _variable(name)
        if name == "has":
            return self._has()
        if name not in FUNCTIONS:
            raise CelError(f"{self._rule}: the function {name} is not supported")
        return _applied(FUNCTIONS[name], self._list(")"))

    def _has(self) -> Expression:
        """`has(a.b)`: whether a field is set."""
        target = self._primary()
        self._need(".")
        name = self._name()
        while self._take("."):
            target, name = _field(target, name), self._name()
        self._need(")")
        return lambda scope: name in target(scope)

    def _list(self, closing: str) -> tuple[Expression, ...]:
        items: list[Expression] = []
        while not self._take(closing):
            if items:
                self._need(",")
            items.append(self.expression())
        return tuple(items)

    def _token(self) -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise CelError(f"{self._rule}: it ends too early")
        self._at += 1
        return self._tokens[self._at - 1]

    def _peek(self) -> str:
        """The next token; '' if it is a string literal."""
        kind, token = self._tokens[self._at] if self._at < len(self._tokens) else ("", "")
        return "" if kind in ("raw", "text") else token

    def _next(self) -> str:
        return self._token()[1]

    def _take(self, token: str) -> bool:
        taken = self._peek() == token
        self._at += taken
        return taken

    def _need(self, token: str) -> None:
        if not self._take(token):
            raise CelError(f"{self._rule}: {token!r} is missing")

    def _name(self) -> str:
        kind, token = self._token()
        if kind != "name":
            raise CelError(f"{self._rule}: a name is missing before {token!r}")
        return token


def _literal(kind: str, token: str) -> int | str:
    if kind == "int":
        return int(token)
    return token[2:-1] if kind == "raw" else token[1:-1]


def _constant(value: Any) -> Expression:
    return lambda _: value


def _variable(name: str) -> Expression:
    def value(scope: Scope) -> Any:
        if name not in scope:
            raise EvaluationError(f"no such variable: {name}")
        return scope[name]

    return value


def _field(target: Expression, name: str) -> Expression:
    return _index(target, _constant(name))


def _index(target: Expression, index: Expression) -> Expression:
    def value(scope: Scope) -> Any:
        holder, key = target(scope), index(scope)
        try:
            return holder[key]
        except (KeyError, IndexError, TypeError) as error:
            raise EvaluationError(f"no such key: {key}") from error

    return value


def _applied(function: Callable[..., Any], arguments: Sequence[Expression]) -> Expression:
    return lambda scope: function(*(argument(scope) for argument in arguments))


def _binary(operator: Callable[[Any, Any], Any], left: Expression, right: Expression) -> Expression:
    return lambda scope: operator(left(scope), right(scope))


def _negated(expression: Expression) -> Expression:
    return lambda scope: not _boolean(expression(scope))


def _macro(name: str, target: Expression, variable: str, body: Expression) -> Expression:
    """all, exists and filter. Over a map they iterate its keys."""

    def scopes(scope: Scope) -> list[Scope]:
        return [{**scope, variable: item} for item in target(scope)]

    if name == "all":
        return lambda scope: not _any((_negated(body), each) for each in scopes(scope))
    if name == "exists":
        return lambda scope: _any((body, each) for each in scopes(scope))
    return lambda scope: [each[variable] for each in scopes(scope) if _boolean(body(each))]


def _any(parts: Iterable[tuple[Expression, Scope]]) -> bool:
    """Whether any operand is true. As in CEL, an operand's failure counts only if no operand is true."""
    failure: EvaluationError | None = None
    for expression, scope in parts:
        try:
            if _boolean(expression(scope)):
                return True
        except EvaluationError as error:
            failure = error
    if failure is not None:
        raise failure
    return False


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise EvaluationError(f"{value!r} is neither true nor false")
    return value
