"""Tokens of the cluster: TokenReview says who asks, LocalSubjectAccessReview whether they may ask this board."""

import asyncio
import logging
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

from boardroom.api.coordinator import STALE_IF_ERROR_SECONDS
from boardroom.api.meta import ASK, AUDIENCE, BOARDROOMS, GROUP
from boardroom.coordinator.auth.bearer import bearer, ends
from boardroom.coordinator.auth.verdicts import Hasher, Verdicts
from boardroom.coordinator.errors import ApiError, AuthUnavailable, Forbidden, Unauthenticated
from boardroom.kube.errors import KubeError
from boardroom.kube.kinds import ACCESS_REVIEW, TOKEN_REVIEW
from boardroom.kube.protocol import Kube

ALLOWED_SECONDS: Final = 60.0
"""A right that was taken away ends at the latest so long after, while the API server answers."""
REFUSED_SECONDS: Final = 10.0
CACHED: Final = 4096
"""Verdicts of either kind: refused tokens never push out those that are allowed."""
REVIEW_SECONDS: Final = 10.0
MAX_REVIEWS: Final = 16
MAX_WAITING: Final = 256
SILENT_SECONDS: Final = 0.5
"""How long somebody who is known waits for a verdict while the API server gives none."""

_LOG: Final = logging.getLogger(__name__)


class Reviews:
    """Asks the API server once for each token, and remembers the verdict for a while.

    While it gives none, whom it allowed lately is let in for `stale_seconds` since then, and until the token's own end.
    """

    def __init__(
        self,
        kube: Kube,
        board: str,
        namespace: str,
        *,
        stale_seconds: float = STALE_IF_ERROR_SECONDS,
        now: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._kube = kube
        self._board = board
        self._namespace = namespace
        self._hash = Hasher()
        self._allowed: Verdicts[str] = Verdicts(CACHED, ALLOWED_SECONDS, now)
        self._stale: Verdicts[str] = Verdicts(CACHED, stale_seconds, now)
        self._refused: Verdicts[ApiError] = Verdicts(CACHED, REFUSED_SECONDS, now)
        self._stale_seconds, self._wall_clock = stale_seconds, wall_clock
        self._silent = False
        """Whether the API server gave no verdict when it was asked last."""
        self._underway: dict[bytes, asyncio.Task[str]] = {}
        self._strangers = 0
        """How many of them are of tokens that were not allowed lately."""
        self._places = {known: asyncio.Semaphore(MAX_REVIEWS) for known in (False, True)}

    async def problem(self) -> str:
        return ""  # that the API server is away shows elsewhere, and those who are known may still ask

    async def caller(self, authorization: str | None) -> str:
        token = bearer(authorization)
        key = self._hash(token)
        if (known := self._allowed.get(key)) is not None:
            return known
        if (refused := self._refused.get(key)) is not None:
            raise refused.copy()
        stale = self._stale.get(key)
        review = self._underway.get(key)
        if review is None and stale is None and self._strangers >= MAX_WAITING:
            raise AuthUnavailable(f"{MAX_WAITING} tokens wait for the API server's review")
        if review is None:
            review = self._begin(key, token, known=stale is not None)
        if stale is not None:
            return await self._reviewed_or(stale, review)
        # a caller that leaves does not take the review from the others that wait for it
        return await asyncio.shield(review)

    async def _reviewed_or(self, stale: str, review: asyncio.Task[str]) -> str:
        """What a review says; `stale` where it says nothing, which is not awaited each time while that is known."""
        await asyncio.wait({review}, timeout=SILENT_SECONDS if self._silent else None)
        try:
            return review.result() if review.done() else stale
        except AuthUnavailable:
            return stale

    def _begin(self, key: bytes, token: str, *, known: bool) -> asyncio.Task[str]:
        """Review a token. Strangers never keep it from those who are known: whose right has gone would gain by that."""
        task = self._underway[key] = asyncio.create_task(self._review(key, token, self._places[known]))
        self._strangers += not known
        task.add_done_callback(lambda done: self._ended(key, done, known=known))
        return task

    def _ended(self, key: bytes, done: asyncio.Task[str], *, known: bool) -> None:
        del self._underway[key]
        self._strangers -= not known
        if not done.cancelled():
            done.exception()  # those that waited have it; where none is left, it was heard all the same

    async def _review(self, key: bytes, token: str, places: asyncio.Semaphore) -> str:
        try:
            name = await self._verdict(token, places)
        except (Unauthenticated, Forbidden) as refused:
            self._refused.put(key, refused)
            self._stale.drop(key)
            self._heard()
            raise
        except AuthUnavailable as silent:
            self._unheard(silent)
            raise
        self._allowed.put(key, name)
        self._stale.put(key, name, ends(token) - self._wall_clock())
        self._heard()
        return name

    async def _verdict(self, token: str, places: asyncio.Semaphore) -> str:
        """The caller's name; raises Unauthenticated, Forbidden and AuthUnavailable."""
        try:
            async with asyncio.timeout(REVIEW_SECONDS), places:
                user = await self._user(token)
                await self._may_ask(user)
        except TimeoutError as error:
            raise AuthUnavailable(f"the API server gave no verdict within {REVIEW_SECONDS:.0f} s") from error
        except KubeError as error:
            raise AuthUnavailable(_why(error)) from error
        return str(user["username"])

    def _unheard(self, silent: AuthUnavailable) -> None:
        if not self._silent:
            extra = {"reason": str(silent), "stale_if_error_seconds": self._stale_seconds}
            _LOG.warning("no token can be reviewed: only callers that were allowed lately are let in", extra=extra)
        self._silent = True

    def _heard(self) -> None:
        if self._silent:
            _LOG.info("tokens are reviewed again")
        self._silent = False

    async def _user(self, token: str) -> dict[str, Any]:
        body = {
            "apiVersion": TOKEN_REVIEW.api_version,
            "kind": TOKEN_REVIEW.name,
            "spec": {"token": token, "audiences": [AUDIENCE]},
        }
        status = (await self._kube.create(TOKEN_REVIEW, body)).get("status") or {}
        user: dict[str, Any] = status.get("user") or {}
        # An authenticator that knows no audiences names none: such a token may be meant for anything.
        if status.get("authenticated") is not True or AUDIENCE not in (status.get("audiences") or ()):
            raise Unauthenticated(
                f"the token is not valid for the audience {AUDIENCE!r}: `kubectl create token SERVICEACCOUNT "
                f"--audience {AUDIENCE}`, or a projected serviceAccountToken volume with that audience"
            )
        if not user.get("username"):
            raise Unauthenticated("the token has no user")
        return user

    async def _may_ask(self, user: dict[str, Any]) -> None:
        subject = {name: user[name] for name in ("groups", "uid", "extra") if user.get(name)}
        body = {
            "apiVersion": ACCESS_REVIEW.api_version,
            "kind": ACCESS_REVIEW.name,
            "metadata": {"namespace": self._namespace},
            "spec": {
                "user": user["username"],
                **subject,
                "resourceAttributes": {
                    "namespace": self._namespace,
                    "verb": "create",
                    "group": GROUP,
                    "resource": BOARDROOMS,
                    "subresource": ASK,
                    "name": self._board,
                },
            },
        }
        status = (await self._kube.create(ACCESS_REVIEW, body)).get("status") or {}
        if status.get("allowed") is not True:
            raise Forbidden(
                f"{user['username']} may not ask board {self._board!r}: grant it in namespace {self._namespace!r} with "
                f'a Role rule {{apiGroups: ["{GROUP}"], resources: ["{BOARDROOMS}/{ASK}"], verbs: ["create"], '
                f'resourceNames: ["{self._board}"]}}, or bind the ClusterRole boardroom-user there'
            )


def _why(error: KubeError) -> str:
    if error.status == HTTPStatus.FORBIDDEN:
        return (
            f"the coordinator may not have tokens reviewed (the operator grants it, docs/reference/rights.md): {error}"
        )
    return f"the API server can't review the token: {error}"
