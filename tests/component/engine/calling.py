"""One call over the transport, with all the time and room it needs."""

from boardroom.engine.protocol import StreamTimeouts
from boardroom.engine.transport import HttpTransport, Reply

LIMIT = 1_000_000
PATIENT = StreamTimeouts(whole=10, first_byte=10, between_bytes=10)


async def post(http: HttpTransport, body: bytes = b"{}", seconds: float = 10) -> Reply:
    return await http.request("POST", "/ask", timeout=seconds, limit=LIMIT, body=body)


async def get(http: HttpTransport, seconds: float = 10) -> Reply:
    return await http.request("GET", "/health", timeout=seconds, limit=LIMIT)
