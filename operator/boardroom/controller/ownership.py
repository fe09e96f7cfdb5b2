"""Ownership: selects the operator that reconciles a board which several operators watch (docs/decisions/0024).

The first operator claims the board in the board's status. The other operators stand by while the owner's Lease has a
holder, and write the condition OperatorConflict. A user's annotation overrides every claim. The namespace of
its Lease identifies an operator.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from boardroom.api.conditions import BoardCondition, read
from boardroom.api.meta import CLAIM_MANAGER, OPERATOR_ANNOTATION, STANDBY_MANAGER
from boardroom.controller.events import Event, Recorder
from boardroom.controller.operator_leases import READ_SECONDS, OperatorLeases, OperatorState
from boardroom.controller.status.condition_value import ConditionValue
from boardroom.controller.status.conditions import to_conditions
from boardroom.controller.watch.cache import Store
from boardroom.kube.errors import KubeError
from boardroom.kube.kinds import BOARDROOM, Key, Object, key_of
from boardroom.kube.protocol import Kube

_log = logging.getLogger(__name__)
_CONDITION: Final = str(BoardCondition.OPERATOR_CONFLICT)


def claimed_by(board: Object) -> str:
    """The operator that has claimed a board; "" if none has."""
    return str((board.get("status") or {}).get("operator") or "")


def assigned_to(board: Object) -> str:
    """The operator to which a user's annotation assigns the board; "" without annotation."""
    return str((board["metadata"].get("annotations") or {}).get(OPERATOR_ANNOTATION) or "")


def owner_of(board: Object) -> str:
    """The operator that a board is assigned to, or else claimed by; "" if neither."""
    return assigned_to(board) or claimed_by(board)


@dataclass
class Ownership:
    """Claims boards for one operator, and leaves those of other operators alone."""

    kube: Kube
    store: Store
    operator_leases: OperatorLeases
    recorder: Recorder
    now: Callable[[], datetime]
    operator: str | None
    """The namespace of this operator's Lease; None: it has no Lease and claims nothing."""
    _owned: set[Key] = field(default_factory=set)
    """The boards that this operator reconciles."""
    _foreign: set[Key] = field(default_factory=set)
    """The boards that it leaves to other operators."""

    async def claim(self, board: Object) -> float | None:
        """Claim a board; None if this operator reconciles it, else the seconds after which to try again.

        Raises ConflictError if another writer, such as another operator's claim, comes first.
        """
        if self.is_ours(board):
            await self._take(board)
            return None
        owner = owner_of(board)
        state = await self.operator_leases.state(owner)
        if state is OperatorState.GONE and not assigned_to(board):
            _log.info("takes board %s/%s over from the operator in namespace %s", *key_of(board), owner)
            await self._take(board)
            return None
        await self._stand_by(board, owner, state)
        return READ_SECONDS

    def is_ours(self, board: Object) -> bool:
        """Whether the board does not name another operator."""
        return owner_of(board) in ("", self.operator)

    def forget(self, board: Key) -> None:
        """The board is deleted."""
        self._owned.discard(board)
        self._foreign.discard(board)

    async def withdraw(self) -> None:
        """Remove the condition from all foreign boards, because this operator ends."""
        for key in sorted(self._foreign):
            board = self.store.get(BOARDROOM, *key)
            try:
                if board is not None:
                    await self._write_condition(board, None)
            except KubeError as error:
                _log.warning("board %s/%s still says %s: %s", *key, _CONDITION, error)

    async def _take(self, board: Object) -> None:
        if self.operator is not None and claimed_by(board) != self.operator:
            # With its version: of two operators that both saw no claim, one gets a conflict.
            board = await self._apply(board, CLAIM_MANAGER, {"operator": self.operator}, versioned=True)
        if assigned_to(board) or key_of(board) not in self._owned:
            # Its writer may have ended since; one that still runs writes it again.
            await self._write_condition(board, None)
        self._foreign.discard(key_of(board))
        self._owned.add(key_of(board))

    async def _stand_by(self, board: Object, owner: str, state: OperatorState) -> None:
        value = _conflict(board, owner, state)
        self._owned.discard(key_of(board))
        if key_of(board) not in self._foreign:
            self._foreign.add(key_of(board))
            _log.warning("keeps off board %s/%s, which is of the operator in namespace %s", *key_of(board), owner)
        await self._write_condition(board, value)
        if value is not None:
            note = f"the operator in namespace {self.operator or '(none)'} keeps off: {value.message}"
            await self.recorder.record(BOARDROOM, board, [Event(type="Warning", reason=value.reason, note=note)])

    async def _write_condition(self, board: Object, value: ConditionValue | None) -> None:
        """Write or remove OperatorConflict. All operators that stand by write the same, as one field manager."""
        before = read((board.get("status") or {}).get("conditions"))
        live = next((c for c in before if c.type == _CONDITION), None)
        written = None if live is None else (live.reason, live.message)
        if written == (None if value is None else (value.reason, value.message)):
            return
        values = {} if value is None else {_CONDITION: value}
        conditions = to_conditions(values, board["metadata"]["generation"], before, self.now())
        await self._apply(board, STANDBY_MANAGER, {"conditions": conditions} if conditions else {})

    async def _apply(self, board: Object, manager: str, status: Object, *, versioned: bool = False) -> Object:
        names = ("name", "namespace", "uid", *(("resourceVersion",) if versioned else ()))
        manifest: Object = {
            "apiVersion": BOARDROOM.api_version,
            "kind": BOARDROOM.name,
            "metadata": {name: board["metadata"][name] for name in names},
            "status": status,
        }
        result = await self.kube.apply_status(BOARDROOM, manifest, manager=manager)
        self.store.put(BOARDROOM, result)
        return result


def _conflict(board: Object, owner: str, state: OperatorState) -> ConditionValue | None:
    """OperatorConflict of a foreign board; None if a user assigned it to an operator that runs."""
    choose = f"kubectl -n {board['metadata']['namespace']} annotate boardroom {board['metadata']['name']} --overwrite"
    if assigned_to(board):
        if state is not OperatorState.GONE:
            return None
        message = (
            f"the annotation {OPERATOR_ANNOTATION} names namespace {owner}, where no operator holds the Lease: start "
            f"that operator, or name another one's namespace: {choose} {OPERATOR_ANNOTATION}=NAMESPACE"
        )
        return _condition_value("OperatorNotFound", message)
    unread = ", and this one may not read its Lease, so that it can't know when that one is gone"
    message = (
        f"the operator in namespace {owner} reconciles this board; another one looks at this namespace too and keeps "
        f"off{unread if state is OperatorState.UNKNOWN else ''}: let each look at namespaces of its own "
        f"(watchNamespaces), uninstall one, or choose: {choose} {OPERATOR_ANNOTATION}=NAMESPACE"
    )
    return _condition_value("ReconciledElsewhere", message)


def _condition_value(reason: Literal["OperatorNotFound", "ReconciledElsewhere"], message: str) -> ConditionValue:
    return ConditionValue(status="True", reason=reason, message=message)
