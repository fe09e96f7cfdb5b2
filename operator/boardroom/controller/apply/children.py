"""Brings a board's objects from what they are to what they should be, and writes nothing where nothing differs."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from boardroom.api.meta import BOARDROOM
from boardroom.controller.apply.contests import Contest, Contests
from boardroom.controller.apply.fingerprint import digest, marked, stands
from boardroom.controller.plan.children import Child
from boardroom.controller.watch.cache import Store
from boardroom.kube.client import ConflictError, Kube, NamespaceTerminatingError, RefusedError, WebhookError
from boardroom.kube.kinds import CLAIM, Key, Kind, Object, controller_of, owned_by

_log = logging.getLogger(__name__)
_METADATA = ("uid", "labels", "ownerReferences")
_RETRY_SECONDS: Final = 60.0
"""What is in the way has no label of ours, so no watch tells when it is gone."""
_WEBHOOK_SECONDS: Final = 10.0
"""A webhook is mostly away for as long as its pod is replaced."""
_Of = tuple[Kind, Key]
"""An object by its kind, namespace and name."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One object that can't be written; `stalled` where no later try will do better by itself."""

    reason: str
    message: str
    stalled: bool
    retry_seconds: float = _RETRY_SECONDS


@dataclass(frozen=True, kw_only=True)
class Change:
    """One object that stood and was written over: as it was, and as it is."""

    kind: Kind
    before: Object
    after: Object


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What `converge` has written over, and what it could not write."""

    changes: list[Change]
    problems: list[Problem]
    contests: list[Contest] = field(default_factory=list)
    """About fields that somebody else keeps writing."""


@dataclass(frozen=True, slots=True)
class _Applied:
    """What we wanted when we last wrote an object, and what the API server made of it."""

    wanted: str
    found: str


@dataclass
class Children:
    """The writer of what boards own."""

    kube: Kube
    store: Store
    contests: Contests = field(default_factory=Contests)
    _applied: dict[_Of, _Applied] = field(default_factory=dict)

    async def converge(self, board: Key, uid: str, children: Sequence[Child]) -> Outcome:
        """Apply or delete what differs; what can't be written does not stop the rest."""
        made = [child for child in children if child.manifest is not None]
        # What goes, goes the other way round: a pod before what guards it.
        gone = [child for child in reversed(children) if child.manifest is None]
        unseen = await self._unseen(board[0], made)
        found = [await self._one(board, uid, child, unseen) for child in (*made, *gone)]
        contests = (self.contests.goes_on((child.kind, (board[0], child.name))) for child in made)
        return Outcome(
            changes=[change for change in found if isinstance(change, Change)],
            problems=[problem for problem in found if isinstance(problem, Problem)],
            contests=[contest for contest in contests if contest is not None],
        )

    def forget(self, board: Key) -> None:
        """The board is gone; the garbage collector removes what it owned."""
        for kind, key in [entry for entry in self._applied if entry[1][0] == board[0]]:
            if self.store.get(kind, *key) is None:
                del self._applied[kind, key]
                self.contests.forget((kind, key))

    async def _unseen(self, namespace: str, made: Sequence[Child]) -> dict[_Of, Object]:
        """What stands in the cluster under the names of children that the store lacks.

        Watched by label: an object that somebody else made under such a name is not in the store.
        """
        names = [(child.kind, (namespace, child.name)) for child in made]
        missing = [of for of in names if of not in self.store]
        found = await asyncio.gather(*(self.kube.get(kind, *key) for kind, key in missing))
        return {of: live for of, live in zip(missing, found, strict=True) if live is not None}

    async def _one(self, board: Key, uid: str, child: Child, unseen: Mapping[_Of, Object]) -> Change | Problem | None:
        key = (board[0], child.name)
        of = (child.kind, key)
        live = self.store.get(child.kind, *key)
        if child.manifest is None:
            return await self._delete(child.kind, key, live, board[1], uid)
        wanted = digest(child.manifest)
        manifest = marked(child.manifest, wanted)
        if live is not None and self._stands(of, manifest, _Applied(wanted, fingerprint(live)), live):
            return None
        if live is not None and await self._contested(of, manifest, wanted, live):
            return None
        live = live or unseen.get(of)
        if live is not None and not owned_by(live, board[1], uid):
            return _taken(child, live)
        return await self._apply(of, manifest, wanted, live)

    async def _apply(self, of: _Of, manifest: Object, wanted: str, live: Object | None) -> Change | Problem | None:
        kind, key = of
        try:
            # Without force the first time: an object that came into being since we looked is not overwritten.
            result = await self.kube.apply(kind, manifest, force=live is not None)
        except NamespaceTerminatingError:
            raise  # no fault of the object, and nothing that anybody could mend
        except ConflictError as error:
            return Problem(reason="NameConflict", message=f"{kind} {key[1]}: {error}", stalled=False)
        except WebhookError as error:
            return unasked(f"{kind} {key[1]}", error)
        except RefusedError as error:
            anew = f", or delete that {kind} and it is made anew" if live is not None else ""
            message = f"the API server refuses {kind} {key[1]}: {error}; mend what it names{anew}"
            return Problem(reason="ApplyRefused", message=message, stalled=True)
        self.store.put(kind, result)
        self._applied[of] = _Applied(wanted, fingerprint(result))
        self.contests.written(of, result)
        _log.info("applied %s %s/%s", kind, *key)
        return Change(kind=kind, before=live, after=result) if live is not None else None

    async def _contested(self, of: _Of, manifest: Object, wanted: str, live: Object) -> bool:
        """Whether it is let be, because somebody else writes it again and again; what we want anew is written."""
        left = self._applied.get(of)
        if left is None or left.wanted != wanted:
            return False
        whole = await self.kube.get(of[0], *of[1]) if self.contests.suspected(of) else live
        if whole is not None:
            self.contests.lost(of, manifest, whole)
        return self.contests.wait(of) > 0

    def _stands(self, of: _Of, manifest: Object, now: _Applied, live: Object) -> bool:
        """Whether it is as we left it; where we don't know how we left it, whether it is as we would leave it."""
        left = self._applied.get(of)
        if left is None and stands(live, manifest):
            left = self._applied[of] = now
        return left == now

    async def _delete(self, kind: Kind, key: Key, live: Object | None, board: str, uid: str) -> Problem | None:
        self._applied.pop((kind, key), None)
        self.contests.forget((kind, key))
        if live is None or not owned_by(live, board, uid) or "deletionTimestamp" in live["metadata"]:
            return None
        if kind is CLAIM and controller_of(live) is None:
            return None  # kept for its data, as spec.model.cache.whenDeleted said
        try:
            await self.kube.delete(kind, *key, live["metadata"]["uid"])
        except WebhookError as error:
            return unasked(f"{kind} {key[1]}", error)
        except RefusedError as error:
            message = f"the API server won't have {kind} {key[1]} deleted: {error}; mend what it names"
            return Problem(reason="ApplyRefused", message=message, stalled=True)
        _log.info("deleted %s %s/%s", kind, *key)
        return None


def fingerprint(live: Object) -> str:
    """Digest of all in a live object that a writer could have changed under us; status and bookkeeping aside."""
    metadata = {name: live["metadata"].get(name) or None for name in _METADATA}
    body = {name: value for name, value in live.items() if name not in ("metadata", "status")}
    return digest({"metadata": metadata, **body})


def unasked(what: str, error: WebhookError) -> Problem:
    """What can't be written because the cluster's own admission does not answer."""
    message = f"{what} waits for an admission webhook that does not answer: see that its server is up ({error})"
    return Problem(reason="WebhookFailed", message=message, stalled=False, retry_seconds=_WEBHOOK_SECONDS)


def _taken(child: Child, live: Object) -> Problem:
    owner = controller_of(live)
    if owner is not None and owner.get("kind") == BOARDROOM:
        message = (
            f"{child.kind} {child.name} belongs to a Boardroom that was deleted: it is made anew once that is gone"
        )
        return Problem(reason="WaitingForDeletion", message=message, stalled=False)
    message = (
        f"{child.kind} {child.name} exists and is not this board's: it is left alone; delete or rename it, or give the "
        "board another name"
    )
    return Problem(reason="NameConflict", message=message, stalled=True)
