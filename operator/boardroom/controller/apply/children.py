"""Converges the objects that a board owns: applies or deletes what differs, and writes nothing else."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from boardroom.api.meta import BOARDROOM
from boardroom.controller.apply.contests import Contest, Contests
from boardroom.controller.apply.fingerprint import apply_hash, contains, with_apply_hash
from boardroom.controller.plan.children import Child
from boardroom.controller.watch.cache import Store
from boardroom.kube.errors import ConflictError, NamespaceTerminatingError, RefusedError, WebhookError
from boardroom.kube.kinds import CLAIM, Key, Kind, Object, controller_of, owned_by
from boardroom.kube.protocol import Kube

_log = logging.getLogger(__name__)
_METADATA = ("uid", "labels", "ownerReferences")
_RETRY_SECONDS: Final = 60.0
"""The object in the way has no label of ours, so that no watch reports its deletion."""
_WEBHOOK_SECONDS: Final = 10.0
"""A webhook is mostly away while its pod is replaced."""
ObjectId = tuple[Kind, Key]
"""An object by its kind, namespace and name."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """An object that can't be written; `stalled`: a retry does not help."""

    reason: str
    message: str
    stalled: bool
    retry_seconds: float = _RETRY_SECONDS


@dataclass(frozen=True, kw_only=True)
class Change:
    """An object that existed and was applied: before and after."""

    kind: Kind
    before: Object
    after: Object


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The result of `converge`: the changes it made, the writes that failed, and the ongoing contests."""

    changes: list[Change]
    problems: list[Problem]
    contests: list[Contest] = field(default_factory=list)
    """Ongoing contests about fields of the board's objects."""


@dataclass(frozen=True, slots=True)
class _Applied:
    """Our last apply of an object: the hash of the manifest and the fingerprint of the result."""

    wanted_hash: str
    fingerprint: str


@dataclass
class Children:
    """Writes the objects that boards own."""

    kube: Kube
    store: Store
    contests: Contests = field(default_factory=Contests)
    _applied: dict[ObjectId, _Applied] = field(default_factory=dict)

    async def converge(self, board: Key, uid: str, children: Sequence[Child]) -> Outcome:
        """Apply or delete what differs; an object that can't be written does not stop the rest."""
        kept = [child for child in children if child.manifest is not None]
        # Deletion uses the reverse order: a pod is deleted before the policies that protect it.
        removed = [child for child in reversed(children) if child.manifest is None]
        unlabelled = await self._find_unlabelled(board[0], kept)
        outcomes = [await self._converge_child(board, uid, child, unlabelled) for child in (*kept, *removed)]
        contests = (self.contests.ongoing((child.kind, (board[0], child.name))) for child in kept)
        return Outcome(
            changes=[change for change in outcomes if isinstance(change, Change)],
            problems=[problem for problem in outcomes if isinstance(problem, Problem)],
            contests=[contest for contest in contests if contest is not None],
        )

    def forget(self, board: Key) -> None:
        """The board is deleted; the garbage collector removes what it owned."""
        for kind, key in [entry for entry in self._applied if entry[1][0] == board[0]]:
            if self.store.get(kind, *key) is None:
                del self._applied[kind, key]
                self.contests.forget((kind, key))

    async def _find_unlabelled(self, namespace: str, kept: Sequence[Child]) -> dict[ObjectId, Object]:
        """The live objects under the names of children that the cache lacks.

        Kinds are watched by label, so that another creator's object under such a name is not in the cache.
        """
        names = [(child.kind, (namespace, child.name)) for child in kept]
        missing = [object_id for object_id in names if object_id not in self.store]
        live_objects = await asyncio.gather(*(self.kube.get(kind, *key) for kind, key in missing))
        return {object_id: live for object_id, live in zip(missing, live_objects, strict=True) if live is not None}

    async def _converge_child(
        self, board: Key, uid: str, child: Child, unlabelled: Mapping[ObjectId, Object]
    ) -> Change | Problem | None:
        key = (board[0], child.name)
        object_id = (child.kind, key)
        live = self.store.get(child.kind, *key)
        if child.manifest is None:
            return await self._delete(child.kind, key, live, board[1], uid)
        wanted_hash = apply_hash(child.manifest)
        manifest = with_apply_hash(child.manifest, wanted_hash)
        if live is not None and self._is_current(object_id, manifest, _Applied(wanted_hash, fingerprint(live)), live):
            return None
        if live is not None and await self._contested(object_id, manifest, wanted_hash, live):
            return None
        live = live or unlabelled.get(object_id)
        if live is not None and not owned_by(live, board[1], uid):
            return _name_conflict(child, live)
        return await self._apply(object_id, manifest, wanted_hash, live)

    async def _apply(
        self, object_id: ObjectId, manifest: Object, wanted_hash: str, live: Object | None
    ) -> Change | Problem | None:
        kind, key = object_id
        try:
            # Without force for a new object: an object that was created in the meantime is not overwritten.
            result = await self.kube.apply(kind, manifest, force=live is not None)
        except NamespaceTerminatingError:
            raise  # not a fault of the object, and not repairable by users
        except ConflictError as error:
            return Problem(reason="NameConflict", message=f"{kind} {key[1]}: {error}", stalled=False)
        except WebhookError as error:
            return webhook_problem(f"{kind} {key[1]}", error)
        except RefusedError as error:
            anew = f", or delete that {kind} and it is made anew" if live is not None else ""
            message = f"the API server refuses {kind} {key[1]}: {error}; mend what it names{anew}"
            return Problem(reason="ApplyRefused", message=message, stalled=True)
        self.store.put(kind, result)
        self._applied[object_id] = _Applied(wanted_hash, fingerprint(result))
        self.contests.applied(object_id, result)
        _log.info("applied %s %s/%s", kind, *key)
        return Change(kind=kind, before=live, after=result) if live is not None else None

    async def _contested(self, object_id: ObjectId, manifest: Object, wanted_hash: str, live: Object) -> bool:
        """Whether the object is left alone because another writer keeps overwriting it; a new manifest is applied."""
        last_applied = self._applied.get(object_id)
        if last_applied is None or last_applied.wanted_hash != wanted_hash:
            return False
        whole = await self.kube.get(object_id[0], *object_id[1]) if self.contests.is_suspected(object_id) else live
        if whole is not None:
            self.contests.overwritten(object_id, manifest, whole)
        return self.contests.wait(object_id) > 0

    def _is_current(self, object_id: ObjectId, manifest: Object, now: _Applied, live: Object) -> bool:
        """Whether the object equals the result of our last apply or, after a restart, of this apply."""
        last_applied = self._applied.get(object_id)
        if last_applied is None and contains(live, manifest):
            last_applied = self._applied[object_id] = now
        return last_applied == now

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
            return webhook_problem(f"{kind} {key[1]}", error)
        except RefusedError as error:
            message = f"the API server won't have {kind} {key[1]} deleted: {error}; mend what it names"
            return Problem(reason="ApplyRefused", message=message, stalled=True)
        _log.info("deleted %s %s/%s", kind, *key)
        return None


def fingerprint(live: Object) -> str:
    """Hash of all that another writer could change in a live object, without status and bookkeeping."""
    metadata = {name: live["metadata"].get(name) or None for name in _METADATA}
    body = {name: value for name, value in live.items() if name not in ("metadata", "status")}
    return apply_hash({"metadata": metadata, **body})


def webhook_problem(what: str, error: WebhookError) -> Problem:
    """The problem of an object that waits for an admission webhook of the cluster."""
    message = f"{what} waits for an admission webhook that does not answer: see that its server is up ({error})"
    return Problem(reason="WebhookFailed", message=message, stalled=False, retry_seconds=_WEBHOOK_SECONDS)


def _name_conflict(child: Child, live: Object) -> Problem:
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
