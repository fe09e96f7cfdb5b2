"""The operator before an API server that is away, overloaded, wrong, or silent."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from integration.boards import agent, board
from integration.faulty_api import FaultyApi, Refusal, before
from integration.kube_api import KubeApi
from integration.operator_process import OperatorProcess
from integration.playing import OWNED_BY_KEYS, wait_built
from tools.waiting import until


@pytest.fixture
def api(operator_kubeconfig: Path, tmp_path: Path) -> Iterator[FaultyApi]:
    with before(operator_kubeconfig, tmp_path / "kubeconfig") as faulty:
        yield faulty


@pytest.fixture
def operator(api: FaultyApi, kube: KubeApi, tmp_path: Path) -> Iterator[OperatorProcess]:
    """It lists everything only once a minute: what is told sooner was told by a watch."""
    flags = ["--namespace", kube.namespace, "--resync-seconds", "60"]
    with OperatorProcess(api.kubeconfig, tmp_path / "log", *flags) as process:
        process.start()
        yield process


def test_an_api_server_that_was_away_is_caught_up_with(
    api: FaultyApi, operator: OperatorProcess, kube: KubeApi
) -> None:
    kube.create(board())
    wait_built(kube, OWNED_BY_KEYS)
    api.go_away()
    kube.delete("Service", "executive-coordinator")
    kube.create(agent("CEO"))
    time.sleep(15)
    assert operator.process is not None
    assert operator.process.poll() is None
    assert operator.ready()
    api.come_back()
    until("the Service is back", lambda: kube.get("Service", "executive-coordinator"), 40)
    until("the agent is accepted", lambda: kube.condition("BoardAgent", "ceo", "Accepted")["status"] == "True", 40)


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal(429, "PATCH", "/deployments/", retry_after="1"),
        Refusal(500, "PATCH", "/deployments/"),
        Refusal(503, "PATCH", "/services/"),
        Refusal(409, "PATCH", "/networkpolicies/"),
        Refusal(504, "PATCH", "/status"),
    ],
    ids=lambda refusal: str(refusal.status),
)
def test_what_was_refused_is_tried_again_and_told_once(
    api: FaultyApi, operator: OperatorProcess, kube: KubeApi, refusal: Refusal
) -> None:
    api.refusals += [refusal] * 3
    kube.create(board(enableLorax=True))
    wait_built(kube, OWNED_BY_KEYS)
    assert api.refusals == []
    events = [e["reason"] for e in kube.every("Event") if e["regarding"]["kind"] == "Boardroom"]
    assert sorted(events) == sorted(set(events))
    assert operator.metrics()["boardroom_operator_reconciles_total", "error"] >= (refusal.status != 409)


def test_a_server_that_asks_for_patience_gets_it(api: FaultyApi, operator: OperatorProcess, kube: KubeApi) -> None:
    api.refusals.append(Refusal(429, "PATCH", "/serviceaccounts/", retry_after="3"))
    kube.create(board())
    until("it was refused", lambda: api.refusals == [])
    asked = api.requests("PATCH", "/serviceaccounts/")
    time.sleep(2)
    assert api.requests("PATCH", "/serviceaccounts/") == asked
    wait_built(kube, OWNED_BY_KEYS)


def test_a_watch_that_has_expired_begins_anew(api: FaultyApi, operator: OperatorProcess, kube: KubeApi) -> None:
    kube.create(board())
    wait_built(kube, OWNED_BY_KEYS)
    api.expire()
    kube.create(agent("CEO"))
    until("the agent is accepted", lambda: kube.condition("BoardAgent", "ceo", "Accepted")["status"] == "True", 30)
    kube.delete("Service", "executive-coordinator")
    until("the Service is back", lambda: kube.get("Service", "executive-coordinator"), 30)


def test_what_vanished_while_a_watch_was_broken_and_has_expired_is_found_out(
    api: FaultyApi, operator: OperatorProcess, kube: KubeApi
) -> None:
    kube.create(board())
    wait_built(kube, OWNED_BY_KEYS)
    api.go_away()
    kube.delete("Service", "executive-coordinator")
    api.expiries.append("/services")
    api.come_back()
    until("the Service is back", lambda: kube.get("Service", "executive-coordinator"), 40)
    assert api.expiries == []


def test_a_dead_watch_is_noticed(api: FaultyApi, kube: KubeApi, tmp_path: Path) -> None:
    flags = ["--namespace", kube.namespace, "--resync-seconds", "1", "--watch-grace-seconds", "3"]
    with OperatorProcess(api.kubeconfig, tmp_path / "dead.log", *flags) as process:
        process.start()
        kube.create(board())
        wait_built(kube, OWNED_BY_KEYS)

        def alive() -> httpx.Response:
            return httpx.get(f"{process.url('probes')}/healthz")

        def complaint() -> str | None:
            answer = alive()
            return answer.text if answer.status_code == 503 else None

        assert alive().status_code == 200
        api.frozen = True
        kube.create(agent("CEO"))
        until(
            "it is accepted by the next list",
            lambda: kube.condition("BoardAgent", "ceo", "Accepted")["status"] == "True",
        )
        assert "watch" in until("it is noticed", complaint, 30)
        api.frozen = False
        until("it is well again", lambda: alive().status_code == 200, 30)
