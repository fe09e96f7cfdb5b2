"""`boardroom coordinator --file` as people and pods run it."""

import asyncio
import json
import signal
import socket
import sys
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from boardroom.cli.coordinator import coordinator
from boardroom.cli.processes import free_port
from component.coordinator.standing_board import NAMES, Board, served, until
from component.engine.scripted_lorax import Call, ScriptedLorax

PROGRAM = str(Path(sys.executable).parent / "boardroom")


async def test_sigterm_lets_the_question_in_flight_finish(board: Board) -> None:
    asked, release = asyncio.Event(), asyncio.Event()

    async def slow(call: Call) -> None:
        if not call.is_probe:
            asked.set()
            await release.wait()
        await call.say("yes")

    async with served(ScriptedLorax(slow)) as url:
        api, metrics = free_port(), free_port()
        process = await asyncio.create_subprocess_exec(
            PROGRAM, "coordinator", "--file", str(board.file), "--lorax-url", url,
            "--port", str(api), "--metrics-port", str(metrics), stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{api}", trust_env=False, timeout=20) as client:
            await until(lambda: listens(api))
            asking = asyncio.create_task(client.post("/v1/ask", json={"user_input": "a secret question"}))
            await asked.wait()
            process.send_signal(signal.SIGTERM)
            await until(lambda: not listens(api))
            release.set()
            response = await asking
        output, _ = await process.communicate()
    assert (response.status_code, process.returncode) == (200, 0)
    assert response.json()["agents_involved"] == NAMES
    lines = [json.loads(line) for line in output.splitlines()]
    answered = next(line for line in lines if line["message"] == "answered")
    assert {k: answered[k] for k in ("request_id", "mode", "members", "answered", "batch")} == {
        "request_id": response.json()["request_id"],
        "mode": "parallel",
        "members": 5,
        "answered": 5,
        "batch": 5,
    }
    assert b"secret" not in output


def listens(port: int) -> bool:
    """Whether the port is open; nothing is said, so that no request is counted."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "give --board (and --namespace), or --file"),
        (["--board", "x", "--adapters-root", "/tmp"], "--adapters-root needs --file"),
        (["--file", "{file}", "--board", "other"], "holds the Boardrooms executive: name one of them with --board"),
        (["--file", "{broken}"], "spec.role"),
        (["--file", "{file}", "--port", "{taken}"], "Address already in use"),
    ],
)
def test_a_wrong_start_is_said_in_a_sentence(board: Board, arguments: list[str], words: str) -> None:
    broken = board.directory / "broken.yaml"
    broken.write_text(board.file.read_text().replace("role: CEO", "role: '1 2'"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        names = {"file": board.file, "broken": broken, "taken": taken.getsockname()[1]}
        result = CliRunner().invoke(coordinator, [a.format(**names) for a in arguments])
    assert result.exit_code != 0
    assert words in result.output
    assert "Traceback" not in result.output
