"""What is written into status, and when."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from boardroom.adapters.protocol import AdapterFiles, missing_directory
from boardroom.api.conditions import COORDINATOR_NOT_READY, AgentCondition, condition
from boardroom.api.status import BoardAgentStatus, BoardroomStatus, LoraxMetrics
from boardroom.coordinator.backends.adapter_registry import AdapterRegistry
from boardroom.coordinator.backends.adapter_summary import AdapterSummary
from boardroom.coordinator.board.roster import Member, Roster
from boardroom.coordinator.metrics import Metrics
from boardroom.coordinator.status import conditions as health
from boardroom.coordinator.status.conditions import LoraxHealth, Observation
from boardroom.coordinator.status.writer import StatusWriter
from boardroom.engine.errors import AdapterFailed, AdapterFault
from boardroom.kube.errors import ConflictError, KubeError, NotFoundError, RefusedError
from boardroom.kube.kinds import BOARDAGENT, BOARDROOM, Object
from unit.kube.fake_kube import FakeKube

PATH = "/models/ceo_lora_adapter"
CEO = Member(name="ceo", role="CEO", adapter="ceo_lora_adapter", adapter_id=PATH, uid="u1", observed_generation=3)
BASE = Member(name="base", role="Base", uid="u2", observed_generation=1)
BOARD = Roster(board="executive", namespace="ns", uid="u0", observed_generation=2, members=(BASE, CEO))
UP = Observation(lorax=LoraxHealth.UP, metrics=LoraxMetrics(total_requests=4, failed_requests=0))
DOWN = Observation(lorax=LoraxHealth.DOWN, reason="LoRAX is starting at http://lorax")
GOOD = AdapterFiles(digest="sha256:1", rank=8, base_model="m")


class World:
    """A writer and what it sees; `at` is the loop's clock, moved by the test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.kube, self.roster, self.seen = FakeKube(), BOARD, UP
        for kind, name in ((BOARDROOM, "executive"), (BOARDAGENT, "base"), (BOARDAGENT, "ceo")):
            self.kube.put(kind, {"metadata": {"name": name, "namespace": "ns"}})
        self.registry = AdapterRegistry(lambda: 0.0)
        self.registry.keep([PATH])
        self.registry.update_files({PATH: GOOD})
        self.writer = StatusWriter(
            self.kube,
            Metrics(),
            roster=lambda: self.roster,
            adapters=lambda: AdapterSummary([self.registry]),
            observed=lambda: self.seen,
        )
        self.at = 1000.0
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: self.at)

    async def write(self, after: float = 0.0) -> list[str]:
        """The names of the objects written."""
        self.at += after
        self.kube.manifests.clear()
        await self.writer.write()
        return self.written

    @property
    def written(self) -> list[str]:
        """The names of the objects written since the last `write` began."""
        return [manifest["metadata"]["name"] for manifest in self.kube.manifests if "status" in manifest]

    def status(self, name: str) -> dict[str, Any]:
        return next(m["status"] for m in self.kube.manifests if m["metadata"].get("name") == name)


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


async def test_everything_owned_is_applied_each_time_and_nothing_else(world: World) -> None:
    world.registry.record_answer(PATH, 40, world.registry.target(PATH))
    assert await world.write() == ["executive", "base", "ceo"]
    assert {k: v for k, v in world.status("executive")["lorax"].items() if k != "lastProbeTime"} == {
        "running": True,
        "totalAdapters": 1,
        "loadedAdapters": 1,
        "metrics": {"totalRequests": 4, "failedRequests": 0},
    }
    assert [c["type"] for c in world.status("executive")["conditions"]] == ["LatencyHigh"]
    adapter = world.status("ceo")["adapter"]
    assert {k: v for k, v in adapter.items() if k != "lastProbeTime"} == {
        "source": "Volume",
        "path": PATH,
        "digest": "sha256:1",
        "sizeBytes": 0,
        "rank": 8,
        "baseModel": "m",
        "loadMs": 40,
    }
    assert sorted(world.status("base")) == ["conditions"]


async def test_the_object_is_named_with_its_uid_so_that_a_namesake_is_never_written(world: World) -> None:
    await world.write()
    assert world.kube.writes[-1] == ("apply_status", "BoardAgent", "ceo")
    assert world.kube.manifests[-1]["metadata"] == {"name": "ceo", "namespace": "ns", "uid": "u1"}


async def test_what_did_not_move_is_not_written_again(world: World) -> None:
    await world.write()
    assert await world.write(after=3600) == []


async def test_figures_wait_for_their_ten_seconds(world: World) -> None:
    await world.write()
    world.seen = replace(UP, metrics=LoraxMetrics(total_requests=9, failed_requests=0))
    assert (await world.write(after=9), await world.write(after=1)) == ([], ["executive"])


async def test_a_turn_of_lorax_or_of_an_adapter_is_written_at_once(world: World) -> None:
    await world.write()
    world.registry.record_answer(PATH, 0, world.registry.target(PATH))
    proved = await world.write(after=1)
    world.seen = DOWN
    world.registry.restarted()
    assert (proved, await world.write(after=1)) == (["ceo"], ["executive", "ceo"])


async def test_even_a_turn_is_not_written_in_a_flood(world: World) -> None:
    await world.write()
    world.registry.record_answer(PATH, 0, world.registry.target(PATH))
    assert await world.write(after=0.9) == []


async def test_what_an_earlier_coordinator_wrote_is_not_written_again(world: World) -> None:
    world.registry.record_answer(PATH, 40, world.registry.target(PATH))
    await world.write()
    board, base, ceo = (world.status(name) for name in ("executive", "base", "ceo"))
    members = (
        replace(BASE, status=BoardAgentStatus.model_validate(base)),
        replace(CEO, status=BoardAgentStatus.model_validate(ceo)),
    )
    world.roster = replace(BOARD, members=members, status=BoardroomStatus.model_validate(board))
    fresh = StatusWriter(
        world.kube,
        Metrics(),
        roster=lambda: world.roster,
        adapters=lambda: AdapterSummary([world.registry]),
        observed=lambda: world.seen,
    )
    world.kube.manifests.clear()
    await fresh.write()
    assert world.written == []


async def test_a_refused_write_does_not_hold_the_others_up(world: World) -> None:
    world.kube.failures_once = [RefusedError(403, "forbidden")]
    with pytest.raises(KubeError):
        await world.write()
    assert world.written == ["base", "ceo"]
    assert await world.write(after=1) == ["executive"]


@pytest.mark.parametrize("error", [NotFoundError(404, "gone"), ConflictError(409, "another uid")])
async def test_an_object_that_is_gone_is_no_failure(world: World, error: KubeError) -> None:
    world.kube.failures_once = [error]
    assert await world.write() == ["base", "ceo"]


async def test_an_episode_of_high_latency_is_one_event(world: World) -> None:
    def slow(average: int, total: int) -> Observation:
        return replace(UP, metrics=LoraxMetrics(total_requests=total, average_latency_ms=average))

    events: list[Object] = []
    for step, average in enumerate((100, 900, 800, 100, 900)):
        world.seen = slow(average, step)
        await world.write(after=20)
        events += [manifest for manifest in world.kube.manifests if manifest["kind"] == "Event"]
    assert [event["reason"] for event in events] == ["HighLatency", "HighLatency"]
    assert events[0]["message"] == (
        "LoRAX took 900 ms on average over the last 60 s; spec.lorax.latencyWarningMs is 500"
    )


LATENCY: list[tuple[Observation, str, str]] = [
    (replace(UP, metrics=LoraxMetrics(average_latency_ms=501)), "True", "AverageAboveLimit"),
    (replace(UP, metrics=LoraxMetrics(average_latency_ms=500)), "False", "AverageWithinLimit"),
    (UP, "False", "NoTraffic"),
    (replace(UP, metrics=None), "False", "NoTraffic"),
    (DOWN, "Unknown", "LoraxNotRunning"),
    (Observation(lorax=LoraxHealth.ABSENT), "Unknown", "LoraxNotRunning"),
    (Observation(lorax=LoraxHealth.UNCHECKED, reason="no health check yet"), "Unknown", "LoraxNotRunning"),
]


@pytest.mark.parametrize(("seen", "status", "reason"), LATENCY)
def test_latency_high_is_above_the_boards_limit(seen: Observation, status: str, reason: str) -> None:
    found = health.latency_high(BOARD, seen)
    assert (found.status, found.reason, found.observed_generation) == (status, reason, 2)


def prepared(how: str) -> AdapterRegistry:
    registry = AdapterRegistry(lambda: 0.0)
    registry.keep([PATH])
    registry.update_files({PATH: missing_directory(PATH) if how == "gone" else GOOD})
    if how in ("proved", "replaced", "deleted"):
        registry.record_answer(PATH, 0, registry.target(PATH))
    if how == "replaced":
        registry.update_files({PATH: replace(GOOD, digest="sha256:2")})
        registry.record_answer(PATH, 0, registry.target(PATH))
    if how == "deleted":
        registry.update_files({PATH: missing_directory(PATH)})
    if how == "missing":
        registry.record_failure(
            PATH, AdapterFailed(AdapterFault.MISSING, "No valid adapter config file found"), registry.target(PATH)
        )
    if how == "unsupported":
        registry.update_files({PATH: AdapterFiles(problem="UnsupportedFeature", message="use_dora is set")})
    return registry


@pytest.mark.parametrize(
    ("how", "seen", "status", "reason", "message"),
    [
        ("new", UP, "Unknown", "NotProved", "has not answered"),
        ("new", DOWN, "Unknown", "NotProved", "LoRAX is starting"),
        ("gone", UP, "False", "AdapterMissing", "boardroom adapters push"),
        ("gone", DOWN, "False", "AdapterMissing", "boardroom adapters push"),
        ("proved", UP, "True", "AdapterProved", "LoRAX answered through"),
        ("deleted", UP, "True", "AdapterProved", "until LoRAX drops what it has loaded"),
        ("replaced", UP, "True", "AdapterProved", "use a new path"),
        ("missing", UP, "False", "AdapterMissing", "LoRAX: No valid adapter config file found"),
        ("unsupported", UP, "False", "UnsupportedFeature", "use_dora is set"),
    ],
)
def test_adapter_ready_says_what_was_observed(
    how: str, seen: Observation, *, status: str, reason: str, message: str
) -> None:
    found = health.adapter_ready(CEO, AdapterSummary([prepared(how)])[PATH], seen)
    assert (found.status, found.reason, found.observed_generation) == (status, reason, 3)
    assert message in found.message


def test_a_member_without_an_adapter_is_ready_by_itself() -> None:
    found = health.adapter_ready(BASE, None, DOWN)
    assert (found.status, found.reason) == ("True", "NoAdapter")


def test_the_event_is_about_the_boardroom() -> None:
    lorax = health.lorax_status(BOARD, AdapterSummary([]), UP, datetime(2026, 1, 2, tzinfo=UTC))
    event = health.high_latency_event(BOARD, lorax, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    assert (event["type"], event["firstTimestamp"]) == ("Warning", "2026-01-02T03:04:05Z")
    assert event["involvedObject"] == {
        "apiVersion": "boardroom.dev/v1alpha1",
        "kind": "Boardroom",
        "name": "executive",
        "namespace": "ns",
        "uid": "u0",
    }


async def test_a_word_that_the_operator_took_back_meanwhile_is_given_again(world: World) -> None:
    world.registry.record_answer(PATH, 40, world.registry.target(PATH))
    await world.write()
    taken = condition(AgentCondition.ADAPTER_READY, "Unknown", COORDINATOR_NOT_READY, "none leads", generation=3)
    ceo = replace(CEO, status=BoardAgentStatus(conditions=(taken,)))
    world.roster = replace(BOARD, members=(BASE, ceo))
    assert await world.write(1) == ["ceo"]
    assert world.status("ceo")["conditions"][0]["reason"] == "AdapterProved"
