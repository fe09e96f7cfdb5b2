import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from boardroom.adapters.synthetic import Shape, make
from component.conformance.clients_under_test import Session
from component.conformance.server_under_test import Server

LAUNCHER = [sys.executable, "-c", "from boardroom.simulator.launcher.main import main; main()"]
FLAGS = ["--port", "0", "--hostname", "127.0.0.1", "--adapter-source", "local", "--max-concurrent-requests", "4"]


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    url = os.environ.get("LORAX_URL")
    if url:
        source = os.environ.get("LORAX_ADAPTER_SOURCE", "local")
        yield Server(url.rstrip("/"), os.environ.get("LORAX_ADAPTER"), source, simulated=False)
        return
    models = tmp_path_factory.mktemp("models")
    make(models, ["ceo"], Shape())
    env = {"PATH": os.environ["PATH"]}
    with subprocess.Popen([*LAUNCHER, *FLAGS], stdout=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout is not None
        address = next(line.split("listening on ")[1].strip() for line in process.stdout if "listening on " in line)
        yield Server(address, f"{models}/ceo_lora_adapter", "local", simulated=True)
        process.terminate()


@pytest.fixture(scope="session")
def lorax_client() -> Iterator[Session]:
    with Session("lorax") as session:
        yield session


@pytest.fixture(scope="session")
def openai_client() -> Iterator[Session]:
    with Session("openai") as session:
        yield session


@pytest.fixture
def lorax(running: Server) -> Iterator[Server]:
    """The server, without faults before and after."""
    yield running
    running.mend()
