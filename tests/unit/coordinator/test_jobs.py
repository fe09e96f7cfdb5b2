"""Background jobs go on until they are stopped, whatever they raise."""

import asyncio
import itertools
import logging

import pytest

from boardroom.coordinator.jobs import Jobs
from boardroom.simulator.virtual import VirtualTimeLoop


def test_a_job_that_breaks_is_logged_and_begins_again_ever_later(caplog: pytest.LogCaptureFixture) -> None:
    starts: list[float] = []

    async def run() -> None:
        async def broken() -> None:
            starts.append(asyncio.get_running_loop().time())
            raise RuntimeError

        jobs = Jobs()
        jobs.start("broken", broken)
        await asyncio.sleep(100)
        await jobs.stop()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner, caplog.at_level(logging.ERROR):
        runner.run(run())
    pauses = [after - before for before, after in itertools.pairwise(starts)]
    assert pauses == pytest.approx([1, 2, 4, 8, 16, 30, 30])
    assert {(record.message, record.__dict__["job"]) for record in caplog.records} == {
        ("a background job broke", "broken")
    }


async def test_jobs_have_ended_when_they_are_stopped() -> None:
    ended: list[str] = []

    def job(name: str) -> None:
        async def wait() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(name)

        jobs.start(name, wait)

    jobs = Jobs()
    job("a")
    job("b")
    await asyncio.sleep(0)
    await jobs.stop()
    assert sorted(ended) == ["a", "b"]
