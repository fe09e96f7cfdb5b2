"""Tokens of the cluster, reviewed by an API server that is made to refuse, hang and fall away."""

import asyncio
import contextlib
import logging
import math
from base64 import urlsafe_b64encode
from typing import Any

import orjson
import pytest

from boardroom.coordinator.auth import reviews
from boardroom.coordinator.auth.bearer import expiry
from boardroom.coordinator.auth.reviews import ALLOWED_SECONDS, MAX_REVIEWS, REFUSED_SECONDS, Reviews
from boardroom.coordinator.errors import AuthUnavailable, Forbidden, Unauthenticated
from boardroom.kube.errors import KubeError
from boardroom.kube.kinds import TOKEN_REVIEW, Kind, Object
from unit.kube.fake_kube import FakeKube

USER = {"username": "system:serviceaccount:team:app", "uid": "7", "groups": ["system:authenticated"]}

BEGAN = 1_800_000_000.0


def jwt(**claims: object) -> str:
    """As the API server gives them; nobody here looks at the signature."""
    parts = (b'{"alg":"RS256"}', orjson.dumps(claims), b"signature")
    return ".".join(urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


class Reviewer(FakeKube):
    """Answers reviews with what the test set."""

    def __init__(self) -> None:
        super().__init__()
        self.user: dict[str, Any] = {"authenticated": True, "user": USER, "audiences": ["boardroom"]}
        self.allowed = True
        self.error: KubeError | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.ungated = ""
        """The token that is reviewed at once."""

    async def create(self, kind: Kind, manifest: Object) -> Object:
        self.manifests.append(manifest)
        if kind is TOKEN_REVIEW and manifest["spec"]["token"] != self.ungated:
            await self.gate.wait()
        if self.error:
            raise self.error
        return manifest | {"status": self.user if kind is TOKEN_REVIEW else {"allowed": self.allowed}}


class Stand:
    def __init__(self, stale_seconds: float = 3600) -> None:
        self.kube = Reviewer()
        self.seconds = 0.0
        self.reviews = Reviews(
            self.kube,
            "executive",
            "team",
            stale_seconds=stale_seconds,
            now=lambda: self.seconds,
            wall_clock=lambda: BEGAN + self.seconds,
        )

    async def ask(self, token: str = "t") -> str:
        return await self.reviews.caller(f"Bearer {token}")

    @property
    def reviewed(self) -> int:
        return sum(manifest["kind"] == "TokenReview" for manifest in self.kube.manifests)


async def test_the_api_server_is_asked_about_this_board_and_audience() -> None:
    stand = Stand()
    assert await stand.ask() == USER["username"]
    token, access = stand.kube.manifests
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
    assert stand.kube.manifests == []


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


HOUR = jwt(exp=BEGAN + 3600)


@pytest.mark.parametrize(
    ("token", "stale_seconds", "lets_in_until"),
    [
        pytest.param(HOUR, 3600, 3600, id="for as long as the spec says"),
        pytest.param(jwt(exp=BEGAN + 9999), 3600, 3600, id="a token that lives longer"),
        pytest.param(jwt(exp=BEGAN + 600), 3600, 600, id="until the token's own end"),
        pytest.param(jwt(sub="x"), 3600, 3600, id="a token without an end"),
        pytest.param("opaque", 3600, ALLOWED_SECONDS, id="a token of which nobody can tell when it ends"),
        pytest.param(HOUR, 0, ALLOWED_SECONDS, id="switched off"),
    ],
)
async def test_whom_the_api_server_allowed_is_let_in_while_it_is_away(
    token: str, stale_seconds: float, lets_in_until: float
) -> None:
    stand = Stand(stale_seconds)
    await stand.ask(token)
    stand.kube.error = KubeError(0, "away")
    stand.seconds = lets_in_until - 1
    assert await stand.ask(token) == USER["username"]
    stand.seconds = lets_in_until
    with pytest.raises(AuthUnavailable):
        await stand.ask(token)


@pytest.mark.parametrize("status", [0, 401, 403, 429, 500, 503])
async def test_whatever_keeps_the_api_server_from_a_verdict_is_none_and_new_callers_stay_out(status: int) -> None:
    stand = Stand()
    await stand.ask(HOUR)
    stand.kube.error = KubeError(status, "no verdict")
    stand.seconds = 120
    assert await stand.ask(HOUR) == USER["username"]
    with pytest.raises(AuthUnavailable, match="no verdict"):
        await stand.ask(jwt(exp=BEGAN + 3600, sub="new"))


@pytest.mark.parametrize("refusal", ["token", "right"])
async def test_a_refusal_ends_it_at_once(refusal: str) -> None:
    stand = Stand()
    await stand.ask(HOUR)
    stand.kube.error = KubeError(0, "away")
    stand.seconds = 120
    await stand.ask(HOUR)
    stand.kube.error = None
    stand.kube.allowed = refusal != "right"
    stand.kube.user = {} if refusal == "token" else stand.kube.user
    with pytest.raises((Unauthenticated, Forbidden)):
        await stand.ask(HOUR)
    stand.kube.error = KubeError(0, "away again")
    stand.seconds += REFUSED_SECONDS
    with pytest.raises(AuthUnavailable):
        await stand.ask(HOUR)


async def test_while_the_api_server_is_known_to_hang_nobody_who_is_known_waits_for_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, reviews.__name__)  # whatever another test has configured
    monkeypatch.setattr(reviews, "UNAVAILABLE_SECONDS", 0)
    stand = Stand()
    await stand.ask(HOUR)
    stand.kube.error = KubeError(0, "away")
    stand.seconds = 120
    await stand.ask(HOUR)
    stand.kube.gate.clear()
    assert [await stand.ask(HOUR) for _ in range(3)] == [USER["username"]] * 3
    assert stand.reviewed == 3, "one that was allowed, one that failed, and one that hangs"
    stand.kube.error = None
    stand.kube.gate.set()
    await asyncio.gather(*stand.reviews._reviews.values())
    assert [record.message for record in caplog.records if record.name == reviews.__name__] == [
        "no token can be reviewed: only callers that were allowed lately are let in",
    ]


@pytest.mark.parametrize("allowed", [True, False])
async def test_strangers_that_wait_keep_no_verdict_from_those_who_are_known(allowed: bool) -> None:
    """Neither are they kept out, nor does one whose right has gone stay by sending many tokens."""
    stand = Stand()
    await stand.ask(HOUR)
    stand.seconds = 120
    stand.kube.allowed = allowed
    stand.kube.gate.clear()
    stand.kube.ungated = HOUR
    asking = [asyncio.create_task(stand.ask(f"t{n}")) for n in range(256)]
    await asyncio.sleep(0)
    with contextlib.nullcontext() if allowed else pytest.raises(Forbidden):
        assert await stand.ask(HOUR) == USER["username"]
    stand.kube.gate.set()
    await asyncio.gather(*asking, return_exceptions=True)


@pytest.mark.parametrize("claims", ["", "e", "####", "bnVsbA", "W10", "eyJleHAiOiAic29vbiJ9", "\u00e9"])
def test_what_is_no_jwt_has_ended(claims: str) -> None:
    assert expiry(f"e30.{claims}.s") == -math.inf
