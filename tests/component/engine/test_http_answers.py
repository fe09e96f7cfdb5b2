"""What the transport makes of an answer, whole or cut or malformed, held against what aiohttp's client makes of it."""

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from boardroom.engine.errors import ConnectionLost
from component.engine.aiohttp_oracle import Outcome, failed, ours, session, theirs
from component.engine.keeping_server import Asked, keeping_server

Pieces = tuple[bytes, ...]


async def outcomes(*answers: Pieces) -> list[tuple[Outcome, Outcome]]:
    """Ours and theirs for each answer, which comes in these pieces, and then the server hangs up."""

    async def talk(asked: Asked) -> bool:
        await asked.say(*answers[int(asked.path.strip("/"))], pause=0.001)
        return False

    async with keeping_server(talk) as server, session() as other:
        return [
            (await ours(server.url, f"/{index}"), await theirs(other, f"{server.url}/{index}"))
            for index in range(len(answers))
        ]


TEXT = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=12).map(str.strip)
HEADERS = st.lists(
    st.tuples(st.sampled_from(["x-queue-time", "X-Total-Time", "content-type", "x-a"]), TEXT), max_size=3
)
INTERIM = st.sampled_from(
    [b"", b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" * 2]
)


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """A whole answer that is well-formed, its length given, chunked or by the end of the connection."""
    body = draw(st.binary(max_size=60))
    status = draw(st.sampled_from([200, 200, 200, 204, 400, 404, 422, 424, 429, 500, 503]))
    version = draw(st.sampled_from(["1.1", "1.1", "1.0"]))
    framing = draw(st.sampled_from(["length", "chunked", "close"] if version == "1.1" else ["length", "close"]))
    lines = [f"{name}: {value}" for name, value in draw(HEADERS)]
    if draw(st.booleans()):
        lines.append(draw(st.sampled_from(["connection: close", "Connection: keep-alive", "connection: Close"])))
    if status == 204:
        body, framing = b"", "close"
    if framing == "length":
        lines.append(f"Content-Length: {len(body)}")
    elif framing == "chunked":
        lines.append("Transfer-Encoding: chunked")
        body = chunked(body, draw(st.lists(st.integers(1, 20), min_size=1, max_size=5)), draw(st.booleans()))
    head = "\r\n".join([f"HTTP/{version} {status} Why", *lines, "", ""]).encode()
    return draw(INTERIM) + head + body


def chunked(body: bytes, sizes: Sequence[int], trailer: bool) -> bytes:
    pieces = []
    turn = 0
    while body:
        piece, body = body[: sizes[turn % len(sizes)]], body[sizes[turn % len(sizes)] :]
        pieces.append(b"%x%s\r\n%s\r\n" % (len(piece), b";a=b" if turn == 1 else b"", piece))
        turn += 1
    return b"".join(pieces) + b"0\r\n" + (b"x-trailer: y\r\n" if trailer else b"") + b"\r\n"


@settings(max_examples=80)
@given(answer=answers(), cuts=st.lists(st.integers(0, 200), max_size=4))
async def test_a_well_formed_answer_is_the_same_however_it_is_cut(answer: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(min(cut, len(answer)) for cut in cuts), len(answer)]
    pieces = tuple(answer[a:b] for a, b in itertools.pairwise(places))
    [(found, expected)] = await outcomes(pieces)
    assert found == expected
    assert not found.error


SAMPLES = {
    "length": b"HTTP/1.1 200 OK\r\ncontent-type: a/b\r\ncontent-length: 5\r\n\r\nhello",
    "chunked": b"HTTP/1.1 503 No\r\ntransfer-encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nx-t: z\r\n\r\n",
    "close": b"HTTP/1.1 200 OK\r\ncontent-type: a/b\r\n\r\nhello",
    "interim": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 429 No\r\ncontent-length: 2\r\n\r\nno",
}


@pytest.mark.parametrize("answer", SAMPLES.values(), ids=SAMPLES)
async def test_an_answer_is_whole_when_it_pauses_at_any_byte(answer: bytes) -> None:
    found = await outcomes((answer,), *((answer[:cut], answer[cut:]) for cut in range(len(answer))))
    assert len({outcome for pair in found for outcome in pair}) == 1
    assert not found[0][0].error


@pytest.mark.parametrize("answer", SAMPLES.values(), ids=SAMPLES)
async def test_an_answer_that_ends_at_any_byte_is_what_aiohttp_makes_of_it(answer: bytes) -> None:
    """Cut off, only one that ends with its connection is an answer."""
    found = await outcomes(*((answer[:cut],) for cut in range(len(answer))))
    assert [pair[0] for pair in found] == [pair[1] for pair in found]
    answered = sum(not pair[0].error for pair in found)
    assert answered == (len(b"hello") if answer == SAMPLES["close"] else 0)
    assert {pair[0] for pair in found if pair[0].error} == {failed(ConnectionLost)}


@st.composite
def mangled(draw: st.DrawFn) -> bytes:
    """An answer with bytes put in, taken out or changed."""
    found = bytearray(draw(answers()))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, max(0, len(found) - 1)))
        taken = draw(st.integers(0, 3))
        put = draw(
            st.sampled_from([b"", b"\n", b"\r", b"\r\n", b" ", b":", b"\0", b"\xff", b"0", b"f", b"-1", b"chunked"])
        )
        found[place : place + taken] = put
    return bytes(found)


@settings(max_examples=150)
@given(answer=mangled())
@example(b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n1\r\nx\r\n")
@example(b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n")
@example(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 1\r\n\r\n1\r\nx\r\n0\r\n\r\n")
@example(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxy")
@example(b"HTTP/1.1 200 OK\r\nx-empty:\r\nx-b: c\r\ncontent-length: 1\r\n\r\nx")
@example(b"HTTP/1.1 200 OK\r\nx-folded: a\r\n b\r\ncontent-length: 1\r\n\r\nx")
async def test_a_malformed_response_is_accepted_only_if_aiohttp_accepts_it(answer: bytes) -> None:
    """aiohttp overlooks more (bare line feeds, odd characters in headers): what it overlooks may be refused here."""
    [(found, expected)] = await outcomes((answer,))
    if found.error or found == expected:
        return
    # What follows a whole answer costs us the connection, and aiohttp the answer as well if it came together with it.
    shorter = await outcomes(*((answer[:end],) for end in range(len(answer))))
    assert found in {pair[1] for pair in shorter}
