"""Tokens of the cluster, reviewed by an API server that is made to refuse, hang and fall away."""

import asyncio
from typing import Any

import pytest

from boardroom.coordinator.auth import reviews
from boardroom.coordinator.auth.reviews import ALLOWED_SECONDS, MAX_REVIEWS, REFUSED_SECONDS, Reviews
from boardroom.coordinator.kube import KubeError
from boardroom.coordinator.problems import AuthUnavailable, Forbidden, Unauthenticated
from unit.coordinator.fake_kube import FakeKube

USER = {"username": "system:serviceaccount:team:app", "uid": "7", "groups": ["system:authenticated"]}


class Reviewer(FakeKube):
    """Answers reviews with what the test set."""

    def __init__(self) -> None:
        super().__init__()
        self.user: dict[str, Any] = {"authenticated": True, "user": USER, "audiences": ["boardroom"]}
        self.allowed = True
        self.error: KubeError | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        await super().create(path, body)
        await self.gate.wait()
        if self.error:
            raise self.error
        return body | {"status": self.user if body["kind"] == "TokenReview" else {"allowed": self.allowed}}


class Stand:
    def __init__(self) -> None:
        self.kube = Reviewer()
        self.seconds = 0.0
        self.reviews = Reviews(self.kube, "executive", "team", now=lambda: self.seconds)

    async def ask(self, token: str = "t") -> str:
        return await self.reviews.caller(f"Bearer {token}")

    @property
    def reviewed(self) -> int:
        return sum(body["kind"] == "TokenReview" for body in self.kube.created)


async def test_the_api_server_is_asked_about_this_board_and_audience() -> None:
    stand = Stand()
    assert await stand.ask() == USER["username"]
    token, access = stand.kube.created
    assert token["spec"] == {"token": "t", "audiences": ["boardroom"]}
    assert access["spec"] == {
        "user": USER["username"],
        "groups": USER["groups"],
        "uid": "7",
        "resourceAttributes": {
            "namespace": "team",
            "verb": "create",
            "group": "boardroom.dev",
            "resource": "boardrooms",
            "subresource": "ask",
            "name": "executive",
        },
    }


async def test_an_allowed_token_is_reviewed_again_after_its_time() -> None:
    stand = Stand()
    await stand.ask()
    stand.kube.allowed = False
    stand.seconds = ALLOWED_SECONDS - 1
    assert await stand.ask() == USER["username"]
    stand.seconds = ALLOWED_SECONDS
    with pytest.raises(Forbidden):
        await stand.ask()


async def test_a_refused_token_is_reviewed_again_sooner() -> None:
    stand = Stand()
    stand.kube.allowed = False
    for _ in range(2):
        with pytest.raises(Forbidden, match=r'resources: \["boardrooms/ask"\]'):
            await stand.ask()
    assert stand.reviewed == 1
    stand.kube.allowed = True
    stand.seconds = REFUSED_SECONDS
    assert await stand.ask() == USER["username"]


@pytest.mark.parametrize(
    "status",
    [
        {"authenticated": False, "error": "expired"},
        {"authenticated": True, "user": USER},
        {"authenticated": True, "user": USER, "audiences": ["https://kubernetes.default.svc"]},
        {"authenticated": True, "user": {}, "audiences": ["boardroom"]},
        {},
    ],
)
async def test_a_token_for_something_else_is_nobodys(status: dict[str, Any]) -> None:
    stand = Stand()
    stand.kube.user = status
    with pytest.raises(Unauthenticated):
        await stand.ask()


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic eDp5", "Bearer " + "x" * 16_385])
async def test_what_is_no_bearer_token_never_reaches_the_api_server(header: str | None) -> None:
    stand = Stand()
    with pytest.raises(Unauthenticated):
        await stand.reviews.caller(header)
    assert stand.kube.created == []


@pytest.mark.parametrize("status", [0, 403, 429, 500])
async def test_without_the_api_server_only_known_tokens_pass(status: int) -> None:
    stand = Stand()
    await stand.ask("known")
    stand.kube.error = KubeError(status, "away")
    assert await stand.ask("known") == USER["username"]
    with pytest.raises(AuthUnavailable, match="away"):
        await stand.ask("unknown")
    stand.kube.error = None
    assert await stand.ask("unknown") == USER["username"]


async def test_many_requests_with_one_token_are_one_review() -> None:
    stand = Stand()
    stand.kube.gate.clear()
    asking = [asyncio.create_task(stand.ask()) for _ in range(20)]
    await asyncio.sleep(0)
    asking[0].cancel()  # a caller that leaves takes nothing from the others
    stand.kube.gate.set()
    found = await asyncio.gather(*asking, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert set(found[1:]) == {USER["username"]}
    assert stand.reviewed == 1


async def test_waiting_reviews_are_bounded() -> None:
    stand = Stand()
    stand.kube.gate.clear()
    asking = [asyncio.create_task(stand.ask(f"t{n}")) for n in range(256)]
    await asyncio.sleep(0)
    with pytest.raises(AuthUnavailable, match="256 tokens wait"):
        await stand.ask("one more")
    stand.kube.gate.set()
    assert set(await asyncio.gather(*asking)) == {USER["username"]}


async def test_nobody_waits_longer_for_a_place_than_for_a_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reviews, "REVIEW_SECONDS", 0)
    stand = Stand()
    stand.kube.gate.clear()
    asking = [asyncio.create_task(stand.ask(f"token {number}")) for number in range(3 * MAX_REVIEWS)]
    ended = await asyncio.gather(*asking, return_exceptions=True)
    assert {type(one) for one in ended} == {AuthUnavailable}
    assert stand.reviewed == MAX_REVIEWS


async def test_refused_tokens_do_not_push_out_allowed_ones() -> None:
    stand = Stand()
    await stand.ask("known")
    stand.kube.allowed = False
    for n in range(4100):
        with pytest.raises(Forbidden):
            await stand.ask(f"t{n}")
    assert await stand.ask("known") == USER["username"]
