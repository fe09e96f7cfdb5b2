"""Raw HTTP requests that clients, proxies and people sent to the coordinator, and what each must get."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import orjson
import pytest
import pytest_asyncio

from component.coordinator.standing_board import Board, Standing, agent, standing

QUESTION = b'{"user_input": "Shall we hire?", "agents": ["nobody"]}'
READ = (404, "unknown_agent", "nobody")
"""The body was read to its end: it names somebody who is not there."""

HOST = b"Host: board\r\n"
JSON = HOST + b"Content-Type: application/json\r\n"
LENGTH = b"Content-Length: %d\r\n" % len(QUESTION)
CHUNKED = b"Transfer-Encoding: chunked\r\n"
CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (len(QUESTION), QUESTION)
H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n"
ASK = b"POST /v1/ask HTTP/1.1\r\n" + JSON
UNSET = ["agent_id", "use_lorax", "parameters", "min_successful", "on_error", "stream", "colour"]
CONVERSATION = b'{"user_input": "x", "conv_id": %b}'

Expected = tuple[int, str, str]
"""Status, code, and words of the message; of an answer that is no error its code and words are empty."""


@dataclass(frozen=True)
class Row:
    id: str
    sent: bytes | list[bytes]
    """In several pieces, each as a packet of its own."""
    expected: Expected


def posted(body: bytes, *, path: bytes = b"/v1/ask", head: bytes = b"") -> bytes:
    return b"POST %b HTTP/1.1\r\n%bContent-Length: %d\r\n%b\r\n%b" % (path, JSON, len(body), head, body)


def got(path: bytes, head: bytes = HOST) -> bytes:
    return b"GET %b HTTP/1.1\r\n%b\r\n" % (path, head)


ROWS = [
    # RFC 9110, 7.8: an upgrade that is not taken is ignored
    Row("curl --http2", ASK + H2C + LENGTH + b"\r\n" + QUESTION, READ),
    Row("curl --http2, chunked", ASK + H2C + CHUNKED + b"\r\n" + CHUNKS, READ),
    Row(
        "h2c with its head and body in pieces",
        [ASK + H2C[:30], H2C[30:] + LENGTH + b"\r", b"\n" + QUESTION[:9], QUESTION[9:]],
        READ,
    ),
    Row(
        "h2c at OpenAI's route",
        posted(
            b'{"model": "gpt-4o", "messages": [{"role": "user", "content": "x"}]}',
            path=b"/v1/chat/completions",
            head=H2C,
        ),
        (404, "model_not_found", "gpt-4o"),
    ),
    Row(
        "a WebSocket for a question",
        ASK + b"Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n" + LENGTH + b"\r\n" + QUESTION,
        READ,
    ),
    Row(
        "an upgrade to TLS (RFC 2817)",
        ASK + b"Connection: upgrade\r\nUpgrade: TLS/1.0, HTTP/1.1\r\n" + LENGTH + b"\r\n" + QUESTION,
        READ,
    ),
    Row("an upgrade where HTTP/1.0 is spoken", ASK.replace(b"1.1", b"1.0") + H2C + LENGTH + b"\r\n" + QUESTION, READ),
    Row("h2c where nothing is sent", got(b"/v1/models", HOST + H2C), (200, "", "")),
    Row("a tunnel", b"CONNECT board:443 HTTP/1.1\r\n" + HOST + b"\r\n", (400, "invalid_http", "speak HTTP/1.1")),
    Row("HTTP/2 with prior knowledge", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (400, "invalid_http", "speak HTTP/1.1")),
    Row("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", (400, "invalid_http", "without TLS")),
    Row("a path that is not encoded", got("/v1/conversations/é".encode()), (400, "invalid_http", "percent-encode")),
    # no redirect: it would send question and token in the clear
    Row(
        "a slash too many",
        posted(QUESTION, path=b"/v1/ask/", head=b"X-Forwarded-Proto: https\r\n"),
        (404, "not_found", "no /v1/ask/; the routes are POST /v1/ask"),
    ),
    Row(
        "a slash too many at OpenAI's route",
        posted(b"{}", path=b"/v1/chat/completions/"),
        (404, "not_found", "POST /v1/chat/completions"),
    ),
    Row("a slash too many in a list", got(b"/v1/agents/"), (404, "not_found", "GET /v1/agents")),
    Row("two slashes", got(b"//v1/agents"), (404, "not_found", "no //v1/agents")),
    Row("a host that is none", got(b"/nothing", b"Host: [\r\n"), (404, "not_found", "no /nothing")),
    # what a body is written in
    Row(
        "gzip",
        posted(QUESTION, head=b"Content-Encoding: gzip\r\n"),
        (415, "unsupported_media_type", "content-encoding is 'gzip'"),
    ),
    Row(
        "several codings in two headers",
        posted(QUESTION, head=b"Content-Encoding: identity\r\nContent-Encoding: deflate, BR\r\n"),
        (415, "unsupported_media_type", "content-encoding is 'br, deflate'"),
    ),
    Row("the coding that is none", posted(QUESTION, head=b"Content-Encoding: identity\r\n"), READ),
    Row(
        "gzip at OpenAI's route",
        posted(b"\x1f\x8b", path=b"/v1/chat/completions", head=b"Content-Encoding: gzip\r\n"),
        (415, "unsupported_media_type", "content-encoding is 'gzip'"),
    ),
    Row(
        "gzip on the way",
        ASK + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + CHUNKS,
        (501, "unsupported_transfer_coding", "transfer-encoding is 'gzip'"),
    ),
    Row(
        "UTF-16",
        posted(QUESTION.decode().encode("utf-16")).replace(b"json\r", b"json; charset=utf-16\r"),
        (415, "unsupported_media_type", "charset is 'utf-16'"),
    ),
    Row("UTF-8 in other spellings", posted(QUESTION).replace(b"json\r", b'JSON ; odata=x; Charset="UTF-8"\r'), READ),
    Row("a byte order mark, as .NET writes", posted(b"\xef\xbb\xbf" + QUESTION), READ),
    Row(
        "a form, as curl -d sends",
        posted(QUESTION).replace(b"application/json", b"application/x-www-form-urlencoded"),
        (415, "unsupported_media_type", "send application/json"),
    ),
    Row(
        "a page that tries to ask without a preflight",
        posted(QUESTION, head=b"Origin: https://evil.example.com\r\n").replace(
            b"Content-Type: application/json\r\n", b""
        ),
        (415, "unsupported_media_type", "send application/json"),
    ),
    Row("no word of what it is", posted(QUESTION).replace(b"Content-Type: application/json\r\n", b""), READ),
    Row("an expectation", [ASK + LENGTH + b"Expect: 100-continue\r\n\r\n", QUESTION], READ),
    Row("an expectation that nobody knows", posted(QUESTION, head=b"Expect: 200-ok\r\n"), READ),
    Row("trailers are welcome", posted(QUESTION, head=b"TE: trailers\r\n"), READ),
    # methods
    Row("HEAD", got(b"/v1/models").replace(b"GET", b"HEAD"), (200, "", "")),
    Row("OPTIONS", got(b"/v1/ask").replace(b"GET", b"OPTIONS"), (405, "method_not_allowed", "POST /v1/ask")),
    Row("OPTIONS of the server", got(b"*").replace(b"GET", b"OPTIONS"), (404, "not_found", "the routes are")),
    Row("the target in full, as proxies get it", got(b"http://board/v1/models"), (200, "", "")),
    # ids of conversations that no path could name
    *(
        Row(f"conv_id {name}", posted(CONVERSATION % orjson.dumps(conv_id)), (422, "invalid_request", "conv_id: "))
        for name, conv_id in [
            ("of two lines", "a\nb"),
            ("with a tab", "a\tb"),
            ("with NUL", "a\0"),
            ("with DEL", "\x7f"),
            ("with a C1 character", "a\x85b"),
            (".", "."),
            ("..", ".."),
            ("that leaves its folder", "a/../b"),
            ("that ends in a dot segment", "a/.."),
            ("that begins with one", "./a"),
        ]
    ),
    *(
        Row(
            f"conv_id {name}",
            posted(b'{"user_input": "x", "agents": ["nobody"], "conv_id": %b}' % orjson.dumps(conv_id)),
            READ,
        )
        for name, conv_id in [
            ("of dots", "..."),
            ("with a slash", "team/4e2a"),
            ("with a file's name", "a.b/.c"),
            ("in Greek", "Αγορά 1%"),
            ("as a query", "a?b#c"),
        ]
    ),
    # null is as absent: Java's, Go's and C#'s serializers write what is not set as null
    Row(
        "every field that is not set is null",
        posted(orjson.dumps({"user_input": "x", "agents": ["nobody"]} | dict.fromkeys(UNSET))),
        READ,
    ),
    Row("a null that is asked", posted(b'{"user_input": null}'), (422, "invalid_request", "user_input: ")),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stand(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Standing]:
    """A board without LoRAX: what a request is good for is known before anybody is asked."""
    board = Board(tmp_path_factory.mktemp("board"))
    board.write(agent("CEO", adapter={"none": True}))
    async with standing(board, None) as found:
        yield found


async def exchanged(stand: Standing, sent: bytes | list[bytes]) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the answer; it must be the only one, and close the connection or leave it whole."""
    reader, writer = await asyncio.open_connection("127.0.0.1", stand.client.base_url.port)
    for piece in [sent] if isinstance(sent, bytes) else sent:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.02)  # so that it arrives by itself
    async with asyncio.timeout(20):
        status, headers = await head(reader)
        if status == 100:
            status, headers = await head(reader)
        length = 0 if b"HEAD" in sent[:4] else int(headers["content-length"])
        body = await reader.readexactly(length)
        if headers.get("connection") == "close":
            assert await reader.read() == b""
        else:  # the next request on it is understood
            writer.write(got(b"/v1/models"))
            assert (await head(reader))[0] == 200
    writer.close()
    await writer.wait_closed()
    return status, headers, body


async def head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    line, *fields = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
    return int(line.split()[1]), {name.lower(): value.strip() for name, _, value in (f.partition(":") for f in fields)}


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
async def test_a_request_gets_what_it_must(stand: Standing, row: Row) -> None:
    status, headers, body = await exchanged(stand, row.sent)
    expected_status, code, words = row.expected
    error = orjson.loads(body)["error"] if code else {"code": "", "message": ""}
    assert (status, error["code"]) == (expected_status, code)
    assert words in error["message"]
    assert "location" not in headers
    assert ("x-request-id" in headers) is (code != "invalid_http")
