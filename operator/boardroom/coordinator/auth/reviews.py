"""Tokens of the cluster: a TokenReview tells the user, a LocalSubjectAccessReview whether it may ask this board."""

import asyncio
import logging
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

from boardroom.api.coordinator import STALE_IF_ERROR_SECONDS
from boardroom.api.meta import ASK, AUDIENCE, BOARDROOMS, GROUP
from boardroom.coordinator.auth.bearer import bearer, expiry
from boardroom.coordinator.auth.verdicts import Hasher, Verdicts
from boardroom.coordinator.errors import ApiError, AuthUnavailable, Forbidden, Unauthenticated
from boardroom.kube.errors import KubeError
from boardroom.kube.kinds import ACCESS_REVIEW, TOKEN_REVIEW
from boardroom.kube.protocol import Kube

ALLOWED_SECONDS: Final = 60.0
"""The most seconds for which a revoked right lasts while the API server answers."""
REFUSED_SECONDS: Final = 10.0
CACHED: Final = 4096
"""The most verdicts of each kind: refused tokens never push out allowed ones."""
REVIEW_SECONDS: Final = 10.0
MAX_REVIEWS: Final = 16
MAX_WAITING: Final = 256
UNAVAILABLE_SECONDS: Final = 0.5
"""The seconds that a known caller waits for a verdict while the API server gives none."""

_LOG: Final = logging.getLogger(__name__)


class Reviews:
    """Asks the API server once for each token, and caches the verdict for a while.

    While the API server gives no verdict, a caller that it allowed within `stale_seconds` is let in, until its token
    expires.
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
        self._unavailable = False
        """Whether the API server gave no verdict the last time."""
        self._reviews: dict[bytes, asyncio.Task[str]] = {}
        self._strangers = 0
        """The number of reviews under way of tokens that were not allowed lately."""
        self._places = {known: asyncio.Semaphore(MAX_REVIEWS) for known in (False, True)}

    async def problem(self) -> str:
        return ""  # an API server that is away is reported elsewhere, and known callers may still ask

    async def caller(self, authorization: str | None) -> str:
        token = bearer(authorization)
        key = self._hash(token)
        if (known := self._allowed.get(key)) is not None:
            return known
        if (refused := self._refused.get(key)) is not None:
            raise refused.copy()
        stale = self._stale.get(key)
        review = self._reviews.get(key)
        if review is None and stale is None and self._strangers >= MAX_WAITING:
            raise AuthUnavailable(f"{MAX_WAITING} tokens wait for the API server's review")
        if review is None:
            review = self._start(key, token, known=stale is not None)
        if stale is not None:
            return await self._reviewed_or(stale, review)
        # a caller that leaves does not take the review from the others that wait for it
        return await asyncio.shield(review)

    async def _reviewed_or(self, stale: str, review: asyncio.Task[str]) -> str:
        """The review's verdict; `stale` if it gives none, soon while the API server is known to be away."""
        await asyncio.wait({review}, timeout=UNAVAILABLE_SECONDS if self._unavailable else None)
        try:
            return review.result() if review.done() else stale
        except AuthUnavailable:
            return stale

    def _start(self, key: bytes, token: str, *, known: bool) -> asyncio.Task[str]:
        """Start a review. Unknown callers never delay known ones: that would prolong rights that were taken away."""
        task = self._reviews[key] = asyncio.create_task(self._review(key, token, self._places[known]))
        self._strangers += not known
        task.add_done_callback(lambda done: self._ended(key, done, known=known))
        return task

    def _ended(self, key: bytes, done: asyncio.Task[str], *, known: bool) -> None:
        del self._reviews[key]
        self._strangers -= not known
        if not done.cancelled():
            done.exception()  # retrieved, or asyncio would report it if no caller waits any more

    async def _review(self, key: bytes, token: str, places: asyncio.Semaphore) -> str:
        try:
            name = await self._verdict(token, places)
        except (Unauthenticated, Forbidden) as refused:
            self._refused.put(key, refused)
            self._stale.drop(key)
            self._log_available()
            raise
        except AuthUnavailable as unavailable:
            self._log_unavailable(unavailable)
            raise
        self._allowed.put(key, name)
        self._stale.put(key, name, expiry(token) - self._wall_clock())
        self._log_available()
        return name

    async def _verdict(self, token: str, places: asyncio.Semaphore) -> str:
        """The user's name; raises Unauthenticated, Forbidden and AuthUnavailable."""
        try:
            async with asyncio.timeout(REVIEW_SECONDS), places:
                user = await self._user(token)
                await self._may_ask(user)
        except TimeoutError as error:
            raise AuthUnavailable(f"the API server gave no verdict within {REVIEW_SECONDS:.0f} s") from error
        except KubeError as error:
            raise AuthUnavailable(_why(error)) from error
        return str(user["username"])

    def _log_unavailable(self, unavailable: AuthUnavailable) -> None:
        if not self._unavailable:
            extra = {"reason": str(unavailable), "stale_if_error_seconds": self._stale_seconds}
            _LOG.warning("no token can be reviewed: only callers that were allowed lately are let in", extra=extra)
        self._unavailable = True

    def _log_available(self) -> None:
        if self._unavailable:
            _LOG.info("tokens are reviewed again")
        self._unavailable = False

    async def _user(self, token: str) -> dict[str, Any]:
        body = {
            "apiVersion": TOKEN_REVIEW.api_version,
            "kind": TOKEN_REVIEW.name,
            "spec": {"token": token, "audiences": [AUDIENCE]},
        }
        status = (await self._kube.create(TOKEN_REVIEW, body)).get("status") or {}
        user: dict[str, Any] = status.get("user") or {}
        # an authenticator that knows no audiences names none, and such a token may be meant for any server
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
