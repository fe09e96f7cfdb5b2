"""Transfers of `boardroom adapters push` into a real loader, over a wire that breaks."""

import contextlib
import json
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import httpx
import pytest

from boardroom.adapters import Scanner, read
from boardroom.adapters.synthetic import Shape, make, make_one
from boardroom.cli.kubectl import Kubectl
from boardroom.cli.processes import free_port
from boardroom.cli.upload import Result, Transfers


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make(tmp_path / "adapters", ["ceo", "cfo"], Shape())
    return tmp_path / "adapters"


@contextlib.contextmanager
def wire(target: int, cuts: list[int]) -> Iterator[int]:
    """A port that leads to `target`, where each connection breaks after so many bytes as the next of `cuts` says."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threads: list[threading.Thread] = []

        def accept() -> None:
            while True:
                client, _ = listener.accept()
                if not serving.is_set():
                    client.close()
                    return
                threads.append(threading.Thread(target=_carry, args=(client, target, cuts)))
                threads[-1].start()

        serving = threading.Event()
        serving.set()
        accepting = threading.Thread(target=accept)
        accepting.start()
        port = listener.getsockname()[1]
        try:
            yield port
        finally:
            serving.clear()
            socket.create_connection(("127.0.0.1", port)).close()
            for thread in (accepting, *threads):
                thread.join()


def _carry(client: socket.socket, target: int, cuts: list[int]) -> None:
    passed = 0
    with client, socket.create_connection(("127.0.0.1", target)) as server, contextlib.suppress(OSError):
        while True:
            for source in select.select([client, server], [], [])[0]:
                data = source.recv(65536)
                (server if source is client else client).sendall(data)
                passed += len(data) if source is client else 0
                if not data:
                    return
                if cuts and passed > cuts[0]:
                    cuts.pop(0)
                    return


@dataclass(frozen=True, kw_only=True)
class Wired(Kubectl):
    """A kubectl whose port-forward is a wire of the test's."""

    port: int

    @contextlib.contextmanager
    def port_forward(self, target: str, port: int) -> Iterator[str]:
        yield f"http://127.0.0.1:{self.port}"


@dataclass
class Receiver:
    root: Path
    port: int
    process: subprocess.Popen[bytes]

    @contextlib.contextmanager
    def transfers(self, *cuts: int) -> Iterator[Transfers]:
        with wire(self.port, list(cuts)) as port, Transfers(Wired(port=port), "pod") as transfers:
            yield transfers


@contextlib.contextmanager
def running(root: Path) -> Iterator[Receiver]:
    root.mkdir()
    port = free_port()
    program = str(Path(sys.executable).parent / "boardroom")
    limits = ["--max-bytes", "100000000", "--idle-seconds", "60"]
    command = [program, "adapters", "receive", "--root", str(root), *limits, "--port", str(port)]
    with subprocess.Popen(command) as process:
        try:
            _wait(process, f"http://127.0.0.1:{port}/healthz")
            yield Receiver(root, port, process)
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def loader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """One for all; each test's adapters have names of their own."""
    with running(tmp_path_factory.mktemp("loader") / "volume") as found:
        yield found


def _wait(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        with contextlib.suppress(httpx.TransportError):
            assert httpx.get(url, trust_env=False).is_success
            return
        assert process.poll() is None
        assert time.monotonic() < deadline, "the loader does not listen"
        time.sleep(0.05)


def send(transfers: Transfers, directory: Path, name: str) -> Result:
    digest = read(directory).digest
    assert digest is not None
    return transfers.send(name, digest, directory)


def listed(loader: Receiver) -> dict[str, str | None]:
    return {item.name: item.adapter.digest for item in Scanner(loader.root).scan()}


def test_what_was_sent_lies_there_and_is_not_sent_again(loader: Receiver, folder: Path) -> None:
    with loader.transfers() as transfers:
        first = send(transfers, folder / "ceo_lora_adapter", "first/1")
        again = send(transfers, folder / "ceo_lora_adapter", "first/1")
    assert (first, again) == (Result(good=True, text="written"), Result(good=True, text="unchanged"))
    assert listed(loader)["first/1"] == read(folder / "ceo_lora_adapter").digest


def test_a_wire_that_breaks_is_mended_and_what_has_arrived_is_not_sent_again(loader: Receiver, tmp_path: Path) -> None:
    make_one(tmp_path / "big", "CEO", Shape(layers=24, hidden=512))
    size = (tmp_path / "big" / "adapter_model.safetensors").stat().st_size
    with loader.transfers(size // 2, size // 3) as transfers:
        assert send(transfers, tmp_path / "big", "mended") == Result(good=True, text="written")
    assert listed(loader)["mended"] == read(tmp_path / "big").digest


def test_a_wire_that_always_breaks_is_said(loader: Receiver, tmp_path: Path) -> None:
    make_one(tmp_path / "big", "COO", Shape(layers=24, hidden=512))
    with loader.transfers(*[100_000] * 9) as transfers:
        result = send(transfers, tmp_path / "big", "broken")
    assert (result.good, "the connection broke 4 times" in result.text) == (False, True)
    assert "broken" not in listed(loader)


def test_a_refusal_is_told_with_its_words_and_the_next_one_still_goes(loader: Receiver, folder: Path) -> None:
    make_one(loader.root / "taken", "somebody else", Shape())
    with loader.transfers() as transfers:
        refused = send(transfers, folder / "ceo_lora_adapter", "taken")
        other = send(transfers, folder / "cfo_lora_adapter", "other")
    assert (refused.good, other.good) == (False, True)
    assert refused.text.startswith("NameTaken: taken: another adapter")


@dataclass(frozen=True, kw_only=True)
class Ended(Kubectl):
    """A kubectl whose pod has ended."""

    def run(self, *args: str, stdin: str | None = None, seconds: float = 0) -> str:
        if args[0] == "logs":
            return "Error: /models: Permission denied; the adapters volume must be writable for user 65532\n"
        return json.dumps({"status": {"phase": "Failed"}})

    @contextlib.contextmanager
    def port_forward(self, target: str, port: int) -> Iterator[str]:
        yield from _not_running()


def _not_running() -> Iterator[str]:
    raise click.ClickException("unable to forward port because pod is not running")


def test_a_loader_that_has_ended_is_told_in_its_own_words() -> None:
    with pytest.raises(click.ClickException, match="the adapters volume must be writable"), Transfers(Ended(), "pod"):
        pass


def test_the_loader_ends_when_it_is_told_that_there_is_no_more(tmp_path: Path) -> None:
    with running(tmp_path / "volume") as loader:
        with loader.transfers() as transfers:
            assert transfers.finish()
        assert loader.process.wait(30) == 0


def test_a_loader_that_hears_nothing_ends_and_says_so(tmp_path: Path) -> None:
    program = str(Path(sys.executable).parent / "boardroom")
    limits = ["--max-bytes", "1", "--idle-seconds", "1", "--port", "0"]
    done = subprocess.run(
        [program, "adapters", "receive", "--root", tmp_path, *limits], capture_output=True, text=True, check=False
    )
    assert (done.returncode, "no request for 1 s: push again" in done.stderr) == (1, True), done.stderr


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("PUT", "/v1/incoming/sha256:x/adapter_config.json", 422, "BadDigest"),
        ("POST", "/v1/adapters", 422, "Invalid"),
    ],
)
def test_what_is_no_order_is_refused(loader: Receiver, method: str, path: str, status: int, code: str) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{loader.port}", trust_env=False) as client:
        answer = client.request(method, path, content=b"{}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
        assert client.post("/v1/adapters", content=b" " * 5000).status_code == 413
