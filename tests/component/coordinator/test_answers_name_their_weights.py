"""The digest that an answer names is that of the weights which were asked, whatever becomes of the board meanwhile."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from boardroom.adapters.protocol import AdapterFiles
from boardroom.adapters.server import application
from boardroom.coordinator.backends.adapter_registry import AdapterRegistry
from boardroom.coordinator.backends.admission import Admission
from boardroom.coordinator.backends.lorax_route import LoraxRoute
from boardroom.coordinator.backends.quarantine import LossTracker, Quarantine
from boardroom.coordinator.backends.waiting_tasks import WaitingTasks
from boardroom.coordinator.board.roster import Member
from boardroom.coordinator.metrics import Metrics
from boardroom.engine.protocol import Generation, GenerationRequest
from component.coordinator.standing_board import Board, agent, served, simulated_lorax, standing, until, unused_port

PATH = "/models/ceo-v1"
REQUEST = GenerationRequest(request_id="r", system="", prompt="And now?", adapter_id=PATH, max_new_tokens=4)


async def test_a_member_that_leaves_while_it_speaks_is_still_named_with_its_digest() -> None:
    registry = AdapterRegistry(lambda: 0.0)
    registry.keep([PATH])
    registry.update_files({PATH: AdapterFiles(digest="sha256:1")})
    registry.record_answer(PATH, None, registry.target(PATH))

    class Engine:
        async def generate(self, request: GenerationRequest, timeout: float) -> Generation:
            registry.keep([])
            return Generation(text="Grow.", finish_reason="stop", prompt_tokens=1, completion_tokens=1)

    admission = Admission(registry, outage=lambda: None)
    engine: Any = Engine()  # all of the protocol that is called here
    route = LoraxRoute(
        "lorax",
        engine,
        registry=registry,
        admission=admission,
        metrics=Metrics(),
        held=WaitingTasks(),
        losses=LossTracker(Quarantine()),
    )
    deadline = asyncio.get_running_loop().time() + 5
    outcome = await route.generate(
        Member(name="ceo", role="CEO", adapter="ceo-v1", adapter_id=PATH), REQUEST, deadline, asyncio.Lock(),
        stream=None, elsewhere=lambda: None,
    )  # fmt: skip
    assert outcome.adapter is not None
    assert (outcome.adapter.path, outcome.adapter.digest) == (PATH, "sha256:1")


async def test_adapters_are_proved_once_the_sidecar_that_starts_later_has_spoken(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    board = Board(tmp_path)
    board.make_adapters("CEO")
    board.write(agent("CEO"))
    with unused_port() as port:
        async with (
            simulated_lorax() as (url, _),
            standing(board, url, adapters_url=f"http://127.0.0.1:{port}") as stand,
        ):
            await until(lambda: "the adapters service can't be read" in caplog.text)
            asking = asyncio.create_task(stand.answer())
            async with served(application(board.models), port):
                answer = await asking
                known = stand.registry[str(board.adapter("CEO"))].files
    assert known is not None
    assert [a["adapter"]["digest"] for a in answer["answers"]] == [known.digest]
    assert answer["warnings"] == []
