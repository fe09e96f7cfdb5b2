"""Schemas are compiled inside prefill, everything standing still; and a prefill that fails while others decode ends all
(docs/lorax.md#schema-compilation, docs/lorax.md#prefill-abort).
"""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from boardroom.simulator.errors import RouterAborted
from boardroom.simulator.model_server.shard import SCHEMAS_KEPT
from boardroom.simulator.router.engine import Engine
from boardroom.simulator.settings import Settings
from unit.simulator.simulation import Simulation, simulate

EMAIL = {"type": "object", "properties": {"when": {"type": "string", "format": "email"}}, "required": ["when"]}
TEXT = {"type": "string"}
BOUNDED = {"type": "string", "maxLength": 2000}


def formatted(schema: Any) -> dict[str, Any]:
    return {"response_format": {"type": "json_object", "schema": schema}}


async def beside_a_decoder(simulation: Simulation, schema: Any) -> tuple[str, str]:
    """What becomes of an answer that is being decoded, and of one whose prefill compiles the schema."""
    decoding = asyncio.create_task(simulation.ask("", max_new_tokens=500, ignore_eos_token=True))
    await asyncio.sleep(0.2)
    spoilt = await simulation.ask("", **formatted(schema))
    return str((await decoding).error), str(spoilt.error)


def test_a_prefill_that_fails_beside_others_ends_the_router() -> None:
    said: list[str] = []

    async def run() -> None:
        async with Engine(Settings(adapter_source="local"), on_abort=said.append) as engine:
            asked = asyncio.create_task(beside_a_decoder(Simulation(engine, Path()), EMAIL))
            try:
                await engine.work()
            finally:
                asked.cancel()

    with pytest.raises(RouterAborted):
        asyncio.run(run())
    assert said == ["ID not found in entries"]


@pytest.mark.parametrize("schema", [EMAIL, {"not": TEXT}, {"type": "text"}, {"$ref": "#/$defs/nowhere"}])
def test_without_that_bug_it_fails_those_that_decode_as_well(tmp_path: Path, schema: Any) -> None:
    decoding, spoilt = simulate(tmp_path, lambda it: beside_a_decoder(it, schema), abort_bugs=False)
    assert decoding == spoilt
    assert spoilt.startswith("Request failed during generation: Server error: ")


def test_alone_it_is_an_error_and_the_router_lives(tmp_path: Path) -> None:
    async def story(simulation: Simulation) -> tuple[str, str]:
        spoilt, fine = await simulation.ask("", **formatted(EMAIL)), await simulation.ask("")
        return str(spoilt.error), str(fine.error)

    assert simulate(tmp_path, story) == (
        "Request failed during generation: Server error: Format email is not supported by Outlines",
        "None",
    )


def test_everything_waits_while_a_schema_is_compiled_once(tmp_path: Path) -> None:
    async def story(simulation: Simulation) -> list[int]:
        clock, took = simulation.engine.clock, []
        for asked in (BOUNDED, BOUNDED, TEXT):
            began = clock.now()
            answer = asyncio.create_task(simulation.ask("", max_new_tokens=1, **formatted(asked)))
            await asyncio.sleep(0.01)
            await simulation.engine.shard.health()
            took.append(round(clock.now() - began))
            await answer
        return took

    assert simulate(tmp_path, story) == [579, 0, 0]


def test_only_so_many_compiled_schemas_are_kept(tmp_path: Path) -> None:
    async def story(simulation: Simulation) -> list[bool]:
        slow = []
        for length in (*range(1, SCHEMAS_KEPT + 2), SCHEMAS_KEPT + 1, 1):
            began = simulation.engine.clock.now()
            await simulation.ask("", max_new_tokens=1, **formatted({"type": "string", "maxLength": 50 + length}))
            slow.append(simulation.engine.clock.now() - began > 1)
        return slow

    assert simulate(tmp_path, story) == [True] * (SCHEMAS_KEPT + 1) + [False, True]


@pytest.mark.parametrize(("version", "refused"), [("v0.12.1", False), ("main", True)])
def test_the_newest_commit_refuses_a_list_of_types(tmp_path: Path, version: str, refused: bool) -> None:
    async def story(simulation: Simulation) -> bool:
        return (await simulation.ask("", **formatted({"type": ["string", "null"]}))).error is not None

    assert simulate(tmp_path, story, lorax_version=version) is refused
