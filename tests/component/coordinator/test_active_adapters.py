"""LoRAX has less memory than its adapters need: it would swap them for ever, and speak as the base model meanwhile."""

from boardroom.coordinator.backends.adapter_state import AdapterPhase
from component.coordinator.standing_board import (
    NAMES,
    ROLES,
    Board,
    agent,
    by_role,
    settings,
    simulated_lorax,
    standing,
)

SLOWLY = 0.4
"""Who spoke at once is told by the clock: this process may be late by less than a speech lasts."""


def fraction(board: Board, adapters: float) -> float:
    """Of the GPU's memory, as much as so many adapters need."""
    size = (board.adapter("CEO") / "adapter_model.safetensors").stat().st_size
    return adapters * size / (settings().cost.gpu_memory_gb * 1e9)


async def test_only_those_are_asked_that_lorax_can_hold_together_and_nobody_is_swapped(board: Board) -> None:
    async with (
        simulated_lorax(adapter_memory_fraction=fraction(board, 3.5), adapter_cycle_time_s=0.05, time_scale=SLOWLY) as (
            url,
            engine,
        ),
        standing(board, url) as stand,
    ):
        first = await stand.answer()
        loads = engine.shard.loads
        again = [await stand.answer() for _ in range(3)]
        swapped = engine.shard.loads - loads
        faults = [record.reason for record in stand.registry.states if record.phase is AdapterPhase.FAILED]
    reasons = [a["reason"] for a in first["answers"] if a["status"] == "absent"]
    assert (len(first["agents_involved"]), swapped, faults) == (3, 0, ["InsufficientAdapterMemory"] * 2)
    assert ["--adapter-memory-fraction" in reason for reason in reasons] == [True, True]
    assert [answer["agents_involved"] for answer in again] == [first["agents_involved"]] * 3


async def test_who_found_no_memory_is_tried_again_when_another_leaves(board: Board) -> None:
    async with (
        simulated_lorax(adapter_memory_fraction=fraction(board, 4.5), adapter_cycle_time_s=0.05, time_scale=SLOWLY) as (
            url,
            _,
        ),
        standing(board, url) as stand,
    ):
        first = await stand.answer()
        [left_out] = set(NAMES) - set(first["agents_involved"])
        stays = [role for role in ROLES if role.lower() not in (left_out, first["agents_involved"][0])]
        board.write(*(agent(role) for role in (*stays, left_out.upper())))
        await stand.wait_ready(*stays, left_out.upper())
        answer = await stand.answer()
    assert by_role(answer)[left_out.upper()]["status"] == "answered"
