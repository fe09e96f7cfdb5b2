"""The library that compiles schemas in LoRAX: a schema as JSON on each line of stdin, what it makes of it on stdout.

LoRAX builds the regular expression with outlines 0.1.1 (v0.12.1 with 0.0.46, whose module for it is the same), later
outlines with outlines_core; here both are asked, and the machine is made as RegexGuide.from_regex makes it. outlines'
own __init__ would import torch; the modules that are needed do without.
"""

import json
import random
import sys
from importlib.machinery import PathFinder
from types import ModuleType
from typing import Any, NamedTuple

import interegular
from jsonschema import Draft202012Validator
from outlines_core.fsm import json_schema as core
from outlines_core.fsm.regex import create_fsm_index_tokenizer, make_byte_level_fsm, make_deterministic_fsm

VOCABULARY = 32_000
LONGEST_WALK = 60
"""Steps after which a sample takes the shortest way to its end."""


def bare(name: str) -> None:
    """The package without what its __init__ imports."""
    parent = sys.modules.get(name.rpartition(".")[0])
    found = PathFinder.find_spec(name, parent.__path__ if parent else None)
    assert found is not None
    module = sys.modules[name] = ModuleType(name)
    module.__path__ = list(found.submodule_search_locations or [])


class Tokenizer:
    """Bytes, signs, numbers, letters of some scripts, and made-up words with and without a blank before them."""

    eos_token_id = 2
    special_tokens = frozenset({"<unk>", "<s>", "</s>"})

    def __init__(self) -> None:
        draw = random.Random(1)
        signs = ['",', '":', '":"', '": "', '{"', '"}', '","', '"},{"', "\\n", '\\"', "},", "[{", '", "', ".\n", " {"]
        scripts = [*range(0x20, 0x7F), *range(0xA1, 0x250), *range(0x400, 0x480), *range(0x4E00, 0x50BC)]
        tokens = dict.fromkeys(
            ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *signs, *map(chr, scripts)]
            + [str(number) for number in range(1000)]
        )
        syllables = [a + b + c for a in "bcdfghklmnprstvw" for b in "aeiou" for c in ("", *"nrst")]
        while len(tokens) < VOCABULARY:
            word = "".join(draw.choices(syllables, k=draw.randint(1, 3)))
            tokens[draw.choice(("", "▁", "▁")) + draw.choice((word, word, word.capitalize()))] = None
        self.vocabulary = {token: index for index, token in enumerate(tokens)}

    def convert_token_to_string(self, token: str) -> str:
        if token.startswith("<0x"):
            byte = int(token[3:5], 16)
            return chr(byte) if byte < 0x80 else "\ufffd"
        return token.replace("▁", " ")


class Sampler:
    """Texts that a machine lets through."""

    def __init__(self, fsm: Any) -> None:
        self._fsm = fsm
        self._draw = random.Random(2)
        live = {state for state in fsm.states if fsm.islive(state)}
        self._ways = {s: [(key, to) for key, to in fsm.map.get(s, {}).items() if to in live] for s in live}
        self._away = dict.fromkeys(fsm.finals, 0)
        """Steps to the nearest end."""
        while len(self._away) < len(live):
            known = dict(self._away)
            for state in live - known.keys():
                steps = [known[to] for _, to in self._ways[state] if to in known]
                if steps:
                    self._away[state] = 1 + min(steps)

    def text(self) -> str:
        state, text = self._fsm.initial, ""
        while self._ways[state] and not (state in self._fsm.finals and self._draw.random() < 0.5):
            ways = self._ways[state]
            if len(text) > LONGEST_WALK:
                ways = [way for way in ways if self._away[way[1]] < self._away[state]] or ways
            key, state = self._draw.choice(ways)
            symbols = self._fsm.alphabet.by_transition[key]
            text += self._draw.choice([symbol if isinstance(symbol, str) else "é" for symbol in symbols])
        return text


def satisfies(text: str, schema: Any) -> bool:
    try:
        return bool(Draft202012Validator(schema).is_valid(json.loads(text)))
    except json.JSONDecodeError:
        return False


class Compiled(NamedTuple):
    """What the library makes of a schema: an expression, a machine over characters, and how many states LoRAX walks."""

    expression: str
    fsm: Any
    states: int


def compiled(build: Any, schema: str, tokenizer: Tokenizer | None) -> Compiled | str:
    """Or why the library refuses it. Without a tokenizer the states are those of the machine over bytes: as many."""
    try:
        expression = build(schema)
        fsm = interegular.parse_pattern(expression).to_fsm().reduce()
        machine, _ = make_deterministic_fsm(make_byte_level_fsm(fsm, keep_utf8=True))
        states = machine.states if tokenizer is None else create_fsm_index_tokenizer(machine, tokenizer)[0]
    except Exception as error:  # noqa: BLE001 (whatever it raises fails the prefill)
        return f"{type(error).__name__}: {error}"
    return Compiled(expression, fsm, len(states))


def tried(build: Any, call: dict[str, Any], tokenizer: Tokenizer) -> dict[str, Any]:
    """What becomes of the schema `sent`: how large it is, and which samples of it `asked` does not take."""
    schema = json.dumps(call["sent"])
    if "most_characters" in call and (length := len(build(schema))) > call["most_characters"]:
        return {"characters": length}  # its machine takes up to minutes
    made = compiled(build, schema, tokenizer if call.get("tokens") else None)
    later = compiled(core.build_regex_from_schema, schema, None) if call.get("core", True) else ""
    refusals = [refusal if isinstance(refusal, str) else "" for refusal in (made, later)]
    if isinstance(made, str):
        return {"refusals": refusals}
    sampler = Sampler(made.fsm)
    samples = [sampler.text() for _ in range(call.get("samples", 0))]
    return {
        "refusals": refusals,
        "characters": len(made.expression),
        "states": made.states,
        "wrong": [text for text in samples if not satisfies(text, call["asked"])][:3],
    }


def main() -> None:
    bare("outlines")
    bare("outlines.fsm")
    from outlines.fsm.json_schema import build_regex_from_schema

    tokenizer = Tokenizer()
    for line in sys.stdin:
        print(json.dumps(tried(build_regex_from_schema, json.loads(line), tokenizer)), flush=True)


if __name__ == "__main__":
    main()
