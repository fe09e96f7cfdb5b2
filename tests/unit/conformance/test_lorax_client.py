"""The real lorax-client 0.6.3 against the simulator, in an environment of its own (see requirements/README.md)."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from boardroom.adapters.make import Shape, make

ROOT = Path(__file__).parents[3]
PYTHON = ROOT / ".venv-lorax-client" / "bin" / "python"
SESSION = Path(__file__).with_name("lorax_client_session.py")

pytestmark = pytest.mark.skipif(not PYTHON.exists(), reason="no .venv-lorax-client here; `make` installs it")


@pytest.fixture(scope="module")
def simulator() -> Iterator[str]:
    command = [sys.executable, "-c", "from boardroom.simulator.launcher import main; main()"]
    arguments = [
        "--port",
        "0",
        "--hostname",
        "127.0.0.1",
        "--adapter-source",
        "local",
        "--max-concurrent-requests",
        "4",
    ]
    with subprocess.Popen(
        [*command, *arguments], stdout=subprocess.PIPE, text=True, env={"PATH": os.environ["PATH"]}
    ) as process:
        yield next(line.split("listening on ")[1].strip() for line in process.stdout if "listening on " in line)
        process.terminate()


@pytest.fixture(scope="module")
def session(simulator: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    models = tmp_path_factory.mktemp("models")
    make(models, ["ceo"], Shape())
    command = [str(PYTHON), "-W", "ignore", str(SESSION), simulator, f"{models}/ceo_lora_adapter"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_generate(session):
    answer = session["generate"]
    assert answer == {
        "text": "".join(answer["tokens"]),
        "finish_reason": "length",
        "prompt_tokens": 3,
        "generated_tokens": 12,
        "tokens": session["async_generate_stream"],
    }


def test_generate_stream(session):
    assert session["generate_stream"] == {
        "tokens": session["async_generate_stream"],
        "text": session["generate"]["text"],
    }


def test_async_generate(session):
    assert session["async_generate"] == session["generate"]["text"]


def test_async_generate_stream(session):
    assert "".join(session["async_generate_stream"]) == session["generate"]["text"]


@pytest.mark.parametrize("case", ["missing_adapter", "missing_adapter_stream", "async_missing_adapter"])
def test_a_missing_adapter_is_a_generation_error(session, case):
    assert session[case] == [
        "GenerationError",
        "Request failed during generation: Server error: No valid adapter config file found: tried None and None",
    ]


def test_a_request_that_is_too_long_is_a_validation_error(session):
    name, message = session["too_long"]
    assert (name, message.startswith("Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096")) == (
        "ValidationError",
        True,
    )


def test_more_requests_than_permits_are_overloaded_errors(session):
    assert session["overloaded"] == ["OverloadedError"] * 2 + ["str"] * 4
