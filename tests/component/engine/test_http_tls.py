"""https: the server's certificate is one that the system's CAs vouch for, in the server's name."""

import asyncio
import ssl
from pathlib import Path

import pytest

from boardroom.cluster.pki import Authority, Identity
from boardroom.engine.errors import Unreachable
from boardroom.engine.protocol import StreamTimeouts
from boardroom.engine.transport import HttpTransport
from component.engine.keeping_server import echo, keeping_server


def served(authority: Authority, host: str) -> ssl.SSLContext:
    pair = authority.issue(Identity(name="server", common_name=host, hosts=[host]))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.certificate, pair.key)
    return context


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """One that the system trusts."""
    found = Authority(tmp_path / "ca")
    monkeypatch.setenv("SSL_CERT_FILE", str(found.pair.certificate))
    return found


async def test_a_certificate_that_is_vouched_for_is_taken_and_its_connection_kept(authority: Authority) -> None:
    async with keeping_server(echo, tls=served(authority, "localhost")) as server:
        http = HttpTransport(server.url)
        found = [await http.request("POST", "/", timeout=10, limit=100, body=body) for body in (b"1", b"2")]
        timeouts = StreamTimeouts(whole=10)
        async with http.stream("/", timeouts=timeouts, limit=100, body=b"3") as reply:
            streamed = await reply.read_all(100)
        await http.close()
    assert ([reply.body for reply in found], streamed, server.accepted) == ([b"1", b"2"], b"3", 1)


async def test_another_names_certificate_is_refused_before_anything_is_sent(authority: Authority) -> None:
    async with keeping_server(echo, tls=served(authority, "elsewhere.test")) as server:
        http = HttpTransport(server.url, headers={"authorization": "Bearer sk-1"}, server="standard inference")
        with pytest.raises(Unreachable, match=r"standard inference is unreachable.*certificate"):
            await http.request("POST", "/", timeout=10, limit=100, body=b"{}")
        await http.close()
    assert server.asked == []


async def test_a_certificate_of_an_unknown_authority_is_refused(authority: Authority, tmp_path: Path) -> None:
    stranger = Authority(tmp_path / "stranger")
    async with keeping_server(echo, tls=served(stranger, "localhost")) as server:
        http = HttpTransport(server.url)
        with pytest.raises(Unreachable, match="certificate verify failed"):
            await http.request("POST", "/", timeout=10, limit=100, body=b"{}")
        await http.close()
    assert server.asked == []


async def test_a_server_without_tls_is_unreachable_by_https() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        http = HttpTransport(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        with pytest.raises(Unreachable):
            await http.request("POST", "/", timeout=10, limit=100, body=b"{}")
        await http.close()
