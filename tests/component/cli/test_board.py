"""`boardroom ask`, `status` and `agents` where no coordinator is: one line that says so."""

import http.server
import threading
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from boardroom.cli.main import main


class _Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"<html>some other service</html>"
        self.rfile.read(int(self.headers.get("content-length", "0")))
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 (the library's names)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def page() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("command", [["ask", "executive", "Why?"], ["ask", "executive", "Why?", "-o", "json"]])
def test_another_service_is_no_coordinator(page: str, command: list[str]) -> None:
    _fails(command, page, "is not a coordinator: check --url")


@pytest.mark.parametrize("command", ["agents", "status"])
def test_another_service_tells_no_members(page: str, command: str) -> None:
    _fails([command, "executive"], page, "is not a coordinator: check --url")


@pytest.mark.parametrize("url", ["http://host:port", "host:8000", "http://127.0.0.1:1"])
def test_where_nobody_answers_the_url_is_named(url: str) -> None:
    _fails(["agents", "executive"], url, f"no coordinator answers at {url}")


def _fails(command: list[str], url: str, said: str) -> None:
    result = CliRunner().invoke(main, [*command, "--url", url])
    assert (result.exit_code, isinstance(result.exception, SystemExit)) == (1, True), result.exception
    assert said in result.output
