"""The address of an engine: its URL, parsed once, and the bytes of a request to it. Pure but for getaddrinfo."""

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlsplit

from boardroom.engine.errors import InvalidRequest

_PORTS: Final = {"http": 80, "https": 443}
_TARGET: Final = re.compile(r"/[\x21-\x7e]*", re.ASCII)
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_VALUE: Final = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]*")
"""A line end would begin another header; a lone surrogate is not a character."""

AddressInfo = tuple[Any, ...]
"""An entry of the list that getaddrinfo returns."""


@dataclass(frozen=True, slots=True)
class Address:
    """`host` is the name for DNS and certificates, `authority` the Host header, `prefix` the beginning of each path."""

    host: str
    port: int
    tls: bool
    authority: str
    prefix: str
    numeric: tuple[AddressInfo, ...]
    """The addresses to connect to if the host is an IP address, which needs no DNS lookup; else empty."""

    def request(self, method: str, path: str, lines: str, body: bytes | None) -> bytes:
        """Return the bytes of a request with these header lines; raises InvalidRequest if the path is not one."""
        target = self.prefix + path
        if not _TARGET.fullmatch(target):
            raise InvalidRequest("the path of a request has characters that no path may have")
        head = f"{method} {target} HTTP/1.1\r\nhost: {self.authority}\r\n{lines}"
        if body is None:
            return f"{head}\r\n".encode()
        return f"{head}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


def header_lines(headers: Mapping[str, str]) -> str:
    """Return headers as they are sent; raises InvalidRequest, which names the header, if one would break its line."""
    for name, value in headers.items():
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise InvalidRequest(f"the header {name!r} has characters that no header may have, such as a line end")
    return "".join([f"{name}: {value}\r\n" for name, value in headers.items()])


def parse_url(url: str) -> Address:
    """Parse an http or https URL; raises ValueError, which says what is wrong."""
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError("its URL must begin with http:// or https:// and a host")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("its URL must have no credentials, query or fragment")
    port = _PORTS[parts.scheme] if parts.port is None else parts.port
    numeric = _numeric(parts.hostname, port)
    host = parts.hostname if numeric else parts.hostname.encode("idna").decode()
    named = f"[{host}]" if ":" in host else host
    return Address(
        host=host,
        port=port,
        tls=parts.scheme == "https",
        authority=named if port == _PORTS[parts.scheme] else f"{named}:{port}",
        prefix=quote(parts.path, safe="/%:@!$&'()*+,;=~-._"),
        numeric=numeric,
    )


def _numeric(host: str, port: int) -> tuple[AddressInfo, ...]:
    try:
        return tuple(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST))
    except socket.gaierror:
        return ()
