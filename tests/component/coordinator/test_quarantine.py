"""A question that LoRAX does not survive, sent through a coordinator."""

from component.coordinator.standing_board import ROLES, Board, served, standing
from component.coordinator.test_ask_scripted_lorax import answers_unless
from component.engine.scripted_lorax import Call


async def test_a_board_sends_it_twice_whatever_its_members_and_callers_try_again(board: Board) -> None:
    asked: list[str] = []

    async def breaks(call: Call) -> bool:
        poison = "poison" in str(call.body["messages"])
        if poison:
            asked.append(call.adapter)
            await call.begin(200, "application/json")
            await call.chunk(b"{")  # and no more: the connection ends
        return poison

    async with served(answers_unless(breaks)) as url, standing(board, url) as stand:
        await stand.wait_ready(*ROLES)
        first, *again = [await stand.ask(user_input="poison") for _ in range(3)]
        sound = await stand.ask(user_input="sound")
    reasons = [[member["reason"] for member in one.json()["error"]["members"]] for one in again]
    assert (len(asked), first.status_code, sound.status_code) == (len(ROLES) + 1, 503, 200)
    assert all("LoRAX was lost 2 times while it worked on this question" in said for one in reasons for said in one)
