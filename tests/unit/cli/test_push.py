"""`boardroom adapters push` up to the cluster's door, and its transfers into a real loader over a wire that breaks."""

import contextlib
import json
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import httpx
import pytest
from click.testing import CliRunner

from boardroom.adapters import Scanner, read
from boardroom.adapters.synthetic import Shape, make, make_one
from boardroom.cli.adapters import adapters
from boardroom.cli.kubectl import Kubectl
from boardroom.cli.processes import free_port
from boardroom.cli.upload import Result, Transfers

MODEL = "mistralai/Mistral-7B-Instruct-v0.1"
CLAIM = {"volume": {"persistentVolumeClaim": {"claimName": "board-adapters"}}}


@dataclass(frozen=True, kw_only=True)
class Answering(Kubectl):
    """A kubectl that knows one Boardroom and can do nothing else."""

    spec: dict[str, Any] = field(default_factory=dict)

    def run(self, *args: str, stdin: str | None = None, seconds: float = 0) -> str:
        assert args[:2] == ("get", "boardroom.boardroom.dev"), args
        spec = {"model": {"id": MODEL}, "adapters": CLAIM} | self.spec
        return json.dumps({"metadata": {"name": "executive", "uid": "u"}, "spec": spec})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make(tmp_path / "adapters", ["ceo", "cfo"], Shape())
    return tmp_path / "adapters"


def push(monkeypatch: pytest.MonkeyPatch, *words: str | Path, **spec: Any) -> tuple[int, str]:
    monkeypatch.setattr("boardroom.cli.target.Kubectl", lambda **_: Answering(spec=spec))
    result = CliRunner().invoke(adapters, ["push", "executive", *map(str, words)])
    return result.exit_code, result.output


def test_a_dry_run_says_what_would_be_sent(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    code, output = push(monkeypatch, folder, "--dry-run")
    rows = [line.split() for line in output.splitlines()[1:]]
    assert (code, [(row[0], " ".join(row[3:])) for row in rows]) == (
        0,
        [("ceo_lora_adapter", "would be sent"), ("cfo_lora_adapter", "would be sent")],
    )


def test_the_table_ends_its_last_line(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    assert push(monkeypatch, folder, "--dry-run")[1].endswith("would be sent\n")


@pytest.mark.parametrize(("words", "name"), [([], "ceo_lora_adapter"), (["--name", "ceo/2"], "ceo/2")])
def test_one_adapter_lies_under_its_folders_name_or_the_one_given(
    monkeypatch: pytest.MonkeyPatch, folder: Path, words: list[str], name: str
) -> None:
    code, output = push(monkeypatch, folder / "ceo_lora_adapter", "--dry-run", *words)
    assert (code, [line.split()[0] for line in output.splitlines()[1:]]) == (0, [name])


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"model": {"id": "google/gemma-2b"}}, "BaseModelMismatch"),
        ({"adapters": CLAIM | {"maxRank": 4}}, "RankTooHigh"),
        ({"adapters": CLAIM | {"maxSize": "1Ki"}}, "TooLarge"),
    ],
)
def test_what_the_board_would_refuse_is_not_sent(
    monkeypatch: pytest.MonkeyPatch, folder: Path, spec: dict[str, Any], reason: str
) -> None:
    code, output = push(monkeypatch, folder, **spec)
    assert (code, output.count(reason)) == (1, 2)


def test_one_that_is_broken_keeps_all_back(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    (folder / "ceo_lora_adapter" / "adapter_model.safetensors").write_bytes(b"torn")
    code, output = push(monkeypatch, folder)
    assert code == 1
    assert "AdapterInvalid" in output
    assert "fine, but not sent" in output


def test_a_file_name_that_can_t_travel_is_said_before_anything_does(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    weights = folder / "ceo_lora_adapter" / "adapter_model.safetensors"
    weights.rename(weights.with_name("adapter model.safetensors"))
    code, output = push(monkeypatch, folder)
    assert (code, "can't be sent" in output) == (1, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["{folder}", "--name", "x"], "push them one by one"),
        (["{folder}/ceo_lora_adapter", "--name", "../x"], "can be no BoardAgent's spec.adapter.path"),
        (["{folder}/empty"], "holds neither adapter_config.json nor folders of adapters"),
    ],
)
def test_what_can_t_be_meant_is_refused_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, folder: Path, words: list[str], said: str
) -> None:
    (folder / "empty").mkdir()
    code, output = push(monkeypatch, *(word.format(folder=folder) for word in words))
    assert (code, said in " ".join(output.split())) == (2, True), output


def test_a_board_without_a_volume_has_nothing_to_fill(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    code, output = push(monkeypatch, folder, adapters={})
    assert (code, "spec.adapters.volume names no volume" in output) == (1, True)


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
