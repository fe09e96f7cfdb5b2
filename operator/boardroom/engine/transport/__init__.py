"""HTTP/1.1 to an engine, on pooled connections of our own (docs/decisions/0020).

Drivers use the protocol Transport; HttpTransport implements it here, and the simulator implements it without sockets.
"""

from boardroom.engine.transport.http import HttpTransport
from boardroom.engine.transport.protocol import ChunkedReply, Reply, Transport

__all__ = ["ChunkedReply", "HttpTransport", "Reply", "Transport"]
