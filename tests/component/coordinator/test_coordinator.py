"""What the coordinator does when something has changed, and what it does at once."""

from boardroom.api.settings import Defaults
from boardroom.coordinator.board.sources import FileSource
from boardroom.coordinator.changes import Changes
from boardroom.coordinator.coordinator import Coordinator
from component.coordinator.mortal_lorax import MEMBERS, pool_of_one
from component.coordinator.standing_board import Board, agent


async def test_a_coordinator_has_settled_once_every_change_until_then_is_taken_in(board: Board) -> None:
    changes = Changes()
    source = FileSource(board.file, None, Defaults(), None, changes)
    source.load()
    coordinator = Coordinator(source, changes)
    async with coordinator.running():
        board.write(agent("CEO"))
        source.load()
        await coordinator.settled()
        assert coordinator.roster is not None
        assert [member.name for member in coordinator.roster.members] == ["ceo"]


async def test_a_report_is_taken_in_before_it_confirms_what_lorax_has_loaded() -> None:
    """Else an answer would be told to be of files that have changed since."""
    confirmed_then: list[bool] = []
    pool = pool_of_one(Changes(), lambda: confirmed_then.append(confirmed()))
    backend = pool.backends["lorax"]

    def confirmed() -> bool:
        return backend.registry[MEMBERS[0].adapter_id or ""].confirmed

    backend.registry.loads_started()
    backend.registry.loads_finished()
    await backend.refresh()
    assert (confirmed_then, confirmed()) == ([False], True)
