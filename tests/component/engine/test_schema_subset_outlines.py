"""LoRAX's own library on every schema of tests/tried/test_schemas.py.

It takes what we send it, makes no more of it than we think, and lets nothing through that does not satisfy the schema
as it was asked for; and what we refuse, it would spoil. The simulator says of each what the library says.
"""

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from boardroom.engine.lorax.schema_cost import MAX_COST, schema_cost
from boardroom.engine.lorax.schema_subset import subset
from boardroom.simulator.json_schema.compiler import states
from boardroom.simulator.json_schema.text import SchemaError
from tried.test_schemas import OURS, REFUSED, TAKEN

ROOT = Path(__file__).parents[3]
SESSION = Path(__file__).parent / "outlines_session.py"
SAMPLES = 40
SLOW = {"a thousand values", "a list of anything", "anything"}
"""Half a minute each, to learn nothing new."""


class Library:
    """Its session, in an environment of its own; a schema a line, what it makes of it a line."""

    def __init__(self) -> None:
        python = ROOT / ".venv-outlines" / "bin" / "python"
        if not python.exists():
            pytest.skip("no .venv-outlines here; `make setup` makes it")
        self._process = subprocess.Popen(
            [str(python), str(SESSION)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def try_(self, sent: Mapping[str, Any], asked: Mapping[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"sent": sent, "asked": sent if asked is None else asked} | more) + "\n")
        self._process.stdin.flush()
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        return found

    def close(self) -> None:
        self._process.communicate(timeout=60)


def simulated(schema: Mapping[str, Any], *, lists: bool) -> bool:
    """Whether the simulator refuses it."""
    try:
        return not states(schema, lists=lists)
    except SchemaError:
        return True


@pytest.fixture(scope="module")
def library() -> Iterator[Library]:
    session = Library()
    yield session
    session.close()


def test_the_ballots_machine_over_a_whole_vocabulary_is_small(library: Library) -> None:
    found = library.try_(subset(OURS["a ballot"]), tokens=True)
    assert (found["refusals"], found["states"] < 100) == (["", ""], True)


@pytest.mark.parametrize("name", [*OURS, *TAKEN])
def test_what_is_sent_is_taken_is_no_larger_than_we_think_and_nothing_else_comes_out(
    library: Library, name: str
) -> None:
    asked = (OURS | TAKEN)[name]
    sent = subset(asked)
    # of the newer builder it is enough to know that it takes a schema; of the largest the machine is made once
    found = library.try_(sent, asked, samples=SAMPLES, core=name != "json_object")
    assert (found["refusals"], found["wrong"]) == (["", ""], [])
    estimated = schema_cost(sent)
    assert found["states"] <= estimated.states <= MAX_COST.states
    assert found["characters"] <= estimated.characters <= MAX_COST.characters
    assert estimated.states < 2 * found["states"] + 40  # or the bound would keep out what is cheap
    assert 0.8 * found["states"] - 3 <= states(sent, lists=False) <= 1.7 * found["states"] + 3  # the simulator's price


@pytest.mark.parametrize("name", [name for name in REFUSED if name not in SLOW])
def test_the_simulator_refuses_what_the_library_refuses(library: Library, name: str) -> None:
    schema = REFUSED[name].schema
    python, core = library.try_(schema, core=name != "a schema in itself")["refusals"]
    refused = [simulated(schema, lists=lists) for lists in (True, False)]
    assert refused == [bool(python)] * 2, (python, core, refused)


@pytest.mark.parametrize("name", [name for name, refusal in REFUSED.items() if refusal.library == "refuses"])
def test_the_library_refuses_it_which_ends_a_router_that_is_at_work(library: Library, name: str) -> None:
    # the newer builder follows a schema that contains itself until its process ends
    assert any(library.try_(REFUSED[name].schema, core=name != "a schema in itself")["refusals"])


@pytest.mark.parametrize("name", [name for name, refusal in REFUSED.items() if refusal.library == "lets through"])
def test_the_library_lets_through_what_does_not_satisfy_it(library: Library, name: str) -> None:
    assert library.try_(REFUSED[name].schema, samples=SAMPLES)["wrong"]


@pytest.mark.parametrize("name", [name for name, refusal in REFUSED.items() if refusal.library == "grows"])
def test_what_it_makes_of_it_grows_beyond_what_may_be_compiled(library: Library, name: str) -> None:
    found = library.try_(REFUSED[name].schema, core=False, most_characters=MAX_COST.characters)
    assert found["characters"] > MAX_COST.characters or found["states"] > MAX_COST.states
