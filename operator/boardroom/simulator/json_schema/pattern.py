"""Makes a text that matches a regular expression of a schema.

Supports literals, classes, groups, alternatives, counts and anchors; look-around and back-references are refused.
"""

import itertools
import re
import string
from collections.abc import Iterator
from typing import Final

_CLASSES: Final = {
    "d": string.digits,
    "w": string.ascii_letters + string.digits + "_",
    "s": " ",
    "D": string.ascii_letters,
    "W": "-+.,:;!",
    "S": string.ascii_letters + string.digits,
}
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v"}
_ANY: Final = string.ascii_lowercase
_PRINTABLE: Final = "".join(chr(code) for code in range(32, 127))
_REPEATS: Final = 3
"""How many repetitions above its minimum an unbounded count may have."""
_MAX_REPEATS: Final = 1000
_MAX_STEPS: Final = 20_000
_COUNT: Final = re.compile(r"\{(\d+)(?:(,)(\d*))?\}")


class PatternError(ValueError):
    """A construct that isn't supported."""


def matching(pattern: str, chance: Iterator[int]) -> str:
    """Return one of the texts that the pattern matches, by chance. Raises PatternError."""
    reader = _Reader(pattern, chance)
    text = reader.alternatives()
    if reader.rest:
        raise PatternError(f"nothing opens {reader.rest[0]!r}")
    return text


class _Reader:
    """Parses the pattern from left to right, and generates text at the same time."""

    def __init__(self, pattern: str, chance: Iterator[int], steps: Iterator[int] | None = None) -> None:
        self.rest = pattern
        self._chance = chance
        self._steps = itertools.count() if steps is None else steps

    def alternatives(self) -> str:
        """Parse all branches; return the text of one."""
        branches = [self._sequence()]
        while self.rest.startswith("|"):
            self._take()
            branches.append(self._sequence())
        return branches[next(self._chance) % len(branches)]

    def _sequence(self) -> str:
        text = ""
        while self.rest and self.rest[0] not in "|)":
            before = self.rest
            once = self._atom()
            atom = before[: len(before) - len(self.rest)]
            text += self._repeated(atom, once)
        return text

    def _repeated(self, atom: str, once: str) -> str:
        fewest, most = self._count()
        times = fewest + next(self._chance) % (most - fewest + 1)
        if times == 1:
            return once
        return "".join(_Reader(atom, self._chance, self._steps).alternatives() for _ in range(times))

    def _count(self) -> tuple[int, int]:
        sign = self.rest[:1]
        counted = _COUNT.match(self.rest)
        if sign in {"*", "+", "?"} and sign:
            self._take()
            fewest, most = {"*": (0, _REPEATS), "+": (1, 1 + _REPEATS), "?": (0, 1)}[sign]
        elif counted:
            self.rest = self.rest[counted.end() :]
            fewest = int(counted[1])
            most = fewest if not counted[2] else int(counted[3]) if counted[3] else fewest + _REPEATS
        else:
            return 1, 1
        if self.rest[:1] in {"?", "+"} and self.rest:
            self._take()
        if not fewest <= most <= _MAX_REPEATS:
            raise PatternError(f"a count runs backwards or beyond {_MAX_REPEATS}")
        return fewest, most

    def _atom(self) -> str:
        if next(self._steps) > _MAX_STEPS:
            raise PatternError(f"it takes more than {_MAX_STEPS} steps")
        character = self._take()
        match character:
            case "(":
                return self._group()
            case "[":
                return self._pick(self._members())
            case "\\":
                return self._pick(self._escaped())
            case ".":
                return self._pick(_ANY)
            case "^" | "$":
                return ""
            case "*" | "+" | "?":
                raise PatternError(f"nothing is repeated by {character!r}")
        return character

    def _group(self) -> str:
        if self.rest.startswith("?:"):
            self.rest = self.rest[2:]
        elif self.rest.startswith("?"):
            named = re.match(r"\?P?<\w+>", self.rest)
            if named is None:
                raise PatternError(f"({self.rest[:2]} is not followed")
            self.rest = self.rest[named.end() :]
        text = self.alternatives()
        if self._take() != ")":
            raise PatternError("a group does not end")
        return text

    def _members(self) -> str:
        negated = self.rest.startswith("^")
        if negated:
            self._take()
        members = ""
        while (character := self._take()) != "]" or not members:
            own = self._escaped() if character == "\\" else character
            if len(own) == 1 and self.rest[:1] == "-" and self.rest[1:2] != "]":
                self._take()
                last = self._take()
                last = self._escaped() if last == "\\" else last
                own = "".join(chr(code) for code in range(ord(own), ord(last) + 1))
            members += own
        return "".join(c for c in _PRINTABLE if c not in members) if negated else members

    def _escaped(self) -> str:
        character = self._take()
        if character in _CLASSES:
            return _CLASSES[character]
        if character in _ESCAPES:
            return _ESCAPES[character]
        if character in "ux":
            width = 4 if character == "u" else 2
            digits, self.rest = self.rest[:width], self.rest[width:]
            return chr(int(digits, 16))
        if character in "bB":
            return ""
        if character.isalnum():
            raise PatternError(f"\\{character} is not followed")
        return character

    def _pick(self, members: str) -> str:
        return members[next(self._chance) % len(members)] if members else ""

    def _take(self) -> str:
        if not self.rest:
            raise PatternError("the pattern ends too early")
        character, self.rest = self.rest[0], self.rest[1:]
        return character
