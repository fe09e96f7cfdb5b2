"""aiohttp's client as a second opinion: the same question, and our name for what it makes of the answer."""

from dataclasses import dataclass

import aiohttp

from boardroom.engine.errors import BadResponse, ConnectionLost, EngineError, EngineTimeout
from boardroom.engine.transport import HttpTransport

LIMIT = 1_000_000
SECONDS = 10.0


@dataclass(frozen=True)
class Outcome:
    """What came of a request: an answer, or the kind of error."""

    status: int = 0
    headers: frozenset[tuple[str, str]] = frozenset()
    body: bytes = b""
    error: str = ""


def failed(kind: type[EngineError]) -> Outcome:
    return Outcome(error=kind.__name__)


async def ours(url: str, path: str) -> Outcome:
    http = HttpTransport(url)
    try:
        reply = await http.request("POST", path, timeout=SECONDS, limit=LIMIT, body=b"{}")
    except EngineError as error:
        return failed(type(error))
    finally:
        await http.close()
    return Outcome(reply.status, frozenset(reply.headers.items()), reply.body)


async def theirs(session: aiohttp.ClientSession, url: str) -> Outcome:
    try:
        async with session.post(url, data=b"{}", allow_redirects=False) as response:
            body = await response.read()
            headers = {
                _latin(name.lower()): _latin(", ".join(response.headers.getall(name))) for name in response.headers
            }
            return Outcome(response.status, frozenset(headers.items()), body)
    except TimeoutError:
        return failed(EngineTimeout)
    except (aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError, aiohttp.ClientOSError):
        return failed(ConnectionLost)
    except (aiohttp.ClientError, ValueError):
        return failed(BadResponse)


def _latin(text: str) -> str:
    """Headers as the standard has them, and as ours are: aiohttp makes lone surrogates of what is not UTF-8."""
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


def session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(force_close=True),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(total=SECONDS),
    )
