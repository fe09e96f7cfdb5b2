"""What the leader answers followers."""

from boardroom.coordinator.changes import Changes
from boardroom.coordinator.peers.leader import Leader
from boardroom.coordinator.peers.protocol import GrantRequest
from component.coordinator.mortal_lorax import pool_of_one


async def test_a_follower_that_asks_while_a_wave_begins_is_told_of_the_wave() -> None:
    """A wave that has begun is a change at once: no poll is answered after it as if nothing had changed."""
    changes = Changes()
    pool = pool_of_one(changes)
    leader = Leader(pool, changes)
    known = (await leader.answer(GrantRequest(leader="a", follower="b", version=0))).version
    async with pool.backends["lorax"].admission.wave():
        answer = await leader.answer(GrantRequest(leader="a", follower="b", version=known))
        assert answer.servers is not None
        assert answer.servers["lorax"].wave == 1
