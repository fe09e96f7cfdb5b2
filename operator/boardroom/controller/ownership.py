"""Which operator reconciles a board, where several look at it (docs/decisions/0024).

The one that comes first claims the board in its status; the others keep off while the Lease of that one has a holder,
and say so. A user's annotation decides over any claim. An operator is known by the namespace of its Lease.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from boardroom.api.conditions import BoardCondition, read
from boardroom.api.meta import CLAIM_MANAGER, OPERATOR_ANNOTATION, STANDBY_MANAGER
from boardroom.controller.events import Event, Recorder
from boardroom.controller.operator_leases import LOOK_SECONDS, LeaseState, OperatorLeases
from boardroom.controller.status.condition_value import ConditionValue
from boardroom.controller.status.conditions import to_conditions
from boardroom.controller.watch.cache import Store
from boardroom.kube.client import Kube, KubeError
from boardroom.kube.kinds import BOARDROOM, Key, Object, key_of

_log = logging.getLogger(__name__)
_CONDITION: Final = str(BoardCondition.OPERATOR_CONFLICT)


def claimed_by(board: Object) -> str:
    """The operator that has claimed a board; "" where none has."""
    return str((board.get("status") or {}).get("operator") or "")


def assigned_to(board: Object) -> str:
    """The operator that a user has chosen for a board; "" where nobody has."""
    return str((board["metadata"].get("annotations") or {}).get(OPERATOR_ANNOTATION) or "")


@dataclass
class Ownership:
    """Claims boards for one operator, and keeps it off those of others."""

    kube: Kube
    store: Store
    operator_leases: OperatorLeases
    recorder: Recorder
    now: Callable[[], datetime]
    operator: str | None
    """The namespace of this operator's Lease; None where it has none: it then claims nothing."""
    _claimed: set[Key] = field(default_factory=set)
    """The boards that this operator reconciles."""
    _foreign: set[Key] = field(default_factory=set)
    """The boards that it keeps off."""

    async def claim(self, board: Object) -> float | None:
        """Seconds after which to look again at a board that is another operator's; None: this one reconciles it.

        Raises ConflictError where somebody else wrote at the same time, the claim of another operator, say.
        """
        owner = assigned_to(board) or claimed_by(board)
        if owner in ("", self.operator):
            await self._take_over(board)
            return None
        lease_state = await self.operator_leases.state(owner)
        if lease_state is LeaseState.VACANT and not assigned_to(board):
            _log.info("takes board %s/%s over from the operator in namespace %s", *key_of(board), owner)
            await self._take_over(board)
            return None
        await self._stand_by(board, owner, lease_state)
        return LOOK_SECONDS

    def is_ours(self, board: Object) -> bool:
        """Whether no other operator has the board, as far as the board itself tells."""
        return (assigned_to(board) or claimed_by(board)) in ("", self.operator)

    def forget(self, board: Key) -> None:
        """The board is gone."""
        self._claimed.discard(board)
        self._foreign.discard(board)

    async def withdraw(self) -> None:
        """Say no more that this operator keeps off: it ends."""
        for key in sorted(self._foreign):
            board = self.store.get(BOARDROOM, *key)
            try:
                if board is not None:
                    await self._say(board, None)
            except KubeError as error:
                _log.warning("board %s/%s still says %s: %s", *key, _CONDITION, error)

    async def _take_over(self, board: Object) -> None:
        if self.operator is not None and claimed_by(board) != self.operator:
            # With its version: of two operators that saw no claim, one writes and the other is told of a conflict.
            board = await self._apply(board, CLAIM_MANAGER, {"operator": self.operator}, versioned=True)
        if assigned_to(board) or key_of(board) not in self._claimed:
            await self._say(board, None)  # who wrote it may have ended since; one that has not writes it again
        self._foreign.discard(key_of(board))
        self._claimed.add(key_of(board))

    async def _stand_by(self, board: Object, owner: str, lease_state: LeaseState) -> None:
        value = _finding(board, owner, lease_state)
        self._claimed.discard(key_of(board))
        if key_of(board) not in self._foreign:
            self._foreign.add(key_of(board))
            _log.warning("keeps off board %s/%s, which is of the operator in namespace %s", *key_of(board), owner)
        await self._say(board, value)
        if value is not None:
            note = f"the operator in namespace {self.operator or '(none)'} keeps off: {value.message}"
            await self.recorder.record(BOARDROOM, board, [Event(type="Warning", reason=value.reason, note=note)])

    async def _say(self, board: Object, value: ConditionValue | None) -> None:
        """Write the condition, or take it away. All operators that keep off write the same, as one field manager."""
        before = read((board.get("status") or {}).get("conditions"))
        held = next((c for c in before if c.type == _CONDITION), None)
        said = None if held is None else (held.reason, held.message)
        if said == (None if value is None else (value.reason, value.message)):
            return
        condition_values = {} if value is None else {_CONDITION: value}
        conditions = to_conditions(condition_values, board["metadata"]["generation"], before, self.now())
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


def _finding(board: Object, owner: str, lease_state: LeaseState) -> ConditionValue | None:
    """What is to be said of a board that is another operator's; None where that is as somebody chose it."""
    choose = f"kubectl -n {board['metadata']['namespace']} annotate boardroom {board['metadata']['name']} --overwrite"
    if assigned_to(board):
        if lease_state is not LeaseState.VACANT:
            return None
        message = (
            f"the annotation {OPERATOR_ANNOTATION} names namespace {owner}, where no operator holds the Lease: start "
            f"that operator, or name another one's namespace: {choose} {OPERATOR_ANNOTATION}=NAMESPACE"
        )
        return _conflict("OperatorNotFound", message)
    unread = ", and this one may not read its Lease, so that it can't know when that one is gone"
    message = (
        f"the operator in namespace {owner} reconciles this board; another one looks at this namespace too and keeps "
        f"off{unread if lease_state is LeaseState.UNREADABLE else ''}: let each look at namespaces of its own "
        f"(watchNamespaces), uninstall one, or choose: {choose} {OPERATOR_ANNOTATION}=NAMESPACE"
    )
    return _conflict("ReconciledElsewhere", message)


def _conflict(reason: Literal["OperatorNotFound", "ReconciledElsewhere"], message: str) -> ConditionValue:
    return ConditionValue(status="True", reason=reason, message=message)
