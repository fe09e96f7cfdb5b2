"""Whatever servers and callers do: an answer is its own request's, no connection serves two at once, and none leaks."""

import asyncio
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from boardroom.engine.errors import EngineError
from boardroom.engine.protocol import StreamTimeouts
from boardroom.engine.transport import HttpTransport
from component.coordinator.standing_board import until
from component.engine.keeping_server import Asked, keeping_server, whole

LIMIT = 1000
BEHAVIOURS = ("answers", "answers", "dawdles", "says more", "closes", "hangs up", "breaks off", "lies", "is silent")


@dataclass(frozen=True)
class Visit:
    """One request: what the server does with it, and when its caller leaves (milliseconds; None: never)."""

    behaviour: str
    streamed: bool
    after: int
    leaves: int | None


VISITS = st.lists(
    st.builds(
        Visit,
        behaviour=st.sampled_from(BEHAVIOURS),
        streamed=st.booleans(),
        after=st.integers(0, 6),
        leaves=st.none() | st.integers(0, 8),
    ),
    min_size=1,
    max_size=14,
)


async def behave(asked: Asked) -> bool:
    """The body is the behaviour and the request's number."""
    match asked.body.decode().partition(":")[0]:
        case "answers":
            await asked.say(whole(asked.body))
        case "dawdles":
            answer = whole(asked.body)
            await asked.say(answer[:20], answer[20:50], answer[50:], pause=0.002)
        case "says more":
            await asked.say(whole(asked.body) + whole(b"nobody's"))
        case "closes":
            await asked.say(whole(asked.body, "connection: close"))
            return False
        case "hangs up":
            return False
        case "breaks off":
            await asked.say(whole(asked.body)[:-1])
            return False
        case "lies":
            await asked.say(b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n")
        case _:
            await asked.left()
            return False
    return True


@settings(max_examples=60)
@given(visits=VISITS, places=st.integers(1, 4))
async def test_every_answer_is_its_own_and_every_connection_comes_back(visits: list[Visit], places: int) -> None:
    async with keeping_server(behave) as server:
        http = HttpTransport(server.url, max_connections=places)

        async def visit(index: int, one: Visit) -> None:
            await asyncio.sleep(one.after / 1000)
            said = f"{one.behaviour}:{index}".encode()
            try:
                if one.streamed:
                    timeouts = StreamTimeouts(whole=0.3, first_byte=0.3, between_bytes=0.3)
                    async with http.stream("/", timeouts=timeouts, limit=LIMIT, body=said) as reply:
                        found = await reply.read_all(LIMIT)
                else:
                    found = (await http.request("POST", "/", timeout=0.3, limit=LIMIT, body=said)).body
            except EngineError:
                return
            assert found == said

        async def guest(index: int, one: Visit) -> None:
            visiting = asyncio.create_task(visit(index, one))
            if one.leaves is not None:
                await asyncio.wait([visiting], timeout=(one.after + one.leaves) / 1000)
                visiting.cancel()
            await asyncio.wait([visiting])
            if not visiting.cancelled():
                visiting.result()

        await asyncio.gather(*(guest(index, one) for index, one in enumerate(visits)))
        # Each place is there again: as many as there are may be held at once, none of which had to wait.
        again = await asyncio.gather(
            *(http.request("POST", "/", timeout=5, limit=LIMIT, body=b"dawdles:%d" % n) for n in range(places))
        )
        assert [reply.body for reply in again] == [b"dawdles:%d" % n for n in range(places)]
        await http.close()
        await until(lambda: not server.open)
