"""One board, level-triggered: observe, build what should be, apply the difference, say what is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Final

from pydantic import ValidationError

from boardroom.api.conditions import BoardCondition, find, read
from boardroom.api.membership import Verdict, unknown_board
from boardroom.api.meta import coordinator_name, lorax_name
from boardroom.api.model import problems
from boardroom.api.resources import Boardroom
from boardroom.api.settings import Defaults
from boardroom.api.status import EffectiveSettings
from boardroom.controller.apply.bindings import Bindings
from boardroom.controller.apply.children import Children, Problem
from boardroom.controller.events import Recorder, agent_events, board_events, failed, preloading
from boardroom.controller.ownership import Ownership
from boardroom.controller.pace import Pace
from boardroom.controller.plan import coordinator, identity, lorax, preload, rbac, rollout
from boardroom.controller.plan.blueprint import Blueprint, Image
from boardroom.controller.plan.children import children
from boardroom.controller.rollouts import Rollouts, Turn
from boardroom.controller.roster import Roster, roster
from boardroom.controller.status.agent import Member, agent_status, refused_agent_status, unheard
from boardroom.controller.status.board import DISABLED, Observed, board_status, invalid_status, settled, suspended
from boardroom.controller.status.conditions import differs
from boardroom.controller.status.coordinator_leases import AGAIN_SECONDS
from boardroom.controller.status.coordinator_status import Hearsay
from boardroom.controller.status.expiry import NO_LEADER, spoken
from boardroom.controller.status.finding import Finding
from boardroom.controller.status.messages import coordinator_words, lorax_words
from boardroom.controller.status.pod_problems import SECRET_GRACE, Words
from boardroom.controller.status.workload import replicas, workload
from boardroom.controller.watch.cache import Store
from boardroom.kube.client import Kube, KubeError, NamespaceTerminatingError
from boardroom.kube.kinds import (
    BOARDAGENT,
    BOARDROOM,
    DEPLOYMENT,
    POD,
    SERVICE_ACCOUNT,
    Key,
    Kind,
    Object,
    key_of,
)

_ROLLOUT_SECONDS: Final = 600
"""A Deployment's own deadline where it names none."""


@dataclass(frozen=True, kw_only=True)
class Reconciler:
    """Reconciles one board at a time; different boards may be reconciled at once."""

    kube: Kube
    store: Store
    children: Children
    bindings: Bindings
    hearsay: Hearsay
    rollouts: Rollouts
    pace: Pace
    ownership: Ownership
    recorder: Recorder
    defaults: Defaults
    image: Image
    now: Callable[[], datetime]
    shown: Callable[[Key, Sequence[Object]], None] = lambda _key, _conditions: None
    """Called with the conditions of each board that was looked at, none for a board that is gone."""

    async def reconcile(self, key: Key) -> float | None:
        """Bring one board and its agents up to date.

        Returns the seconds after which to look again even if nothing is heard, or None. Raises KubeError when the API
        server can't be reached or asks for patience; the same call may be repeated at any time.
        """
        live = self.store.get(BOARDROOM, *key)
        agents = self.store.of_board(BOARDAGENT, key)
        if live is None:
            self.rollouts.leave(key)
            self.children.forget(key)
            self.hearsay.leases.forget(key)
            self.pace.forget(key)
            self.ownership.forget(key)
            self.shown(key, ())
            await self.bindings.converge(key, None)
            await self._judge_all(agents, unknown_board(key[1], key[0]))
            return None
        if "deletionTimestamp" in live["metadata"]:
            self.rollouts.leave(key)
            return None
        if (again := await self.ownership.keeps_off(live)) is not None:
            self.rollouts.leave(key)
            self.shown(key, ())
            return again
        live = self.store.get(BOARDROOM, *key) or live
        try:
            board = Boardroom.model_validate(live)
        except ValidationError as error:
            await self._invalid(live, error)
            return None
        try:
            return await self._board(key, live, board, agents)
        except NamespaceTerminatingError:
            return None  # the board goes with its namespace
        except KubeError:
            raise
        except Exception as error:
            await self.recorder.record(BOARDROOM, live, [failed(error)])
            raise

    async def _board(self, key: Key, live: Object, board: Boardroom, agents: list[Object]) -> float | None:
        found = partial(self.store.get_in, key[0])
        blueprint, members = self._drawn(board, agents)
        wanted = children(blueprint, found)
        turn = self._turn(key, blueprint, rollout.replaces_pods(blueprint, wanted, found))
        if turn is Turn.WAITING:
            blueprint, members = self._drawn(board, agents, in_force=_in_force(board))
            wanted = rollout.held(children(blueprint, found), found)
        elif rollout.disturbs_pods(blueprint, wanted, found) and (pause := self.pace.wait(key)):
            return pause  # nothing is said of an edit before it is carried out
        accountless = found(SERVICE_ACCOUNT, coordinator_name(key[1])) is None
        outcome = await self.children.converge(key, board.metadata.uid, wanted)
        await self.recorder.record(BOARDROOM, live, preloading(blueprint, outcome.changes))
        problems = [*outcome.problems, *await self.bindings.converge(key, rbac.auth_binding(blueprint))]
        word = self._coordinator(key, blueprint)
        heard = await self.hearsay.stands(live, agents, up=word.good)
        observed = self._observe(key, blueprint, members, problems, word if heard or not word.good else NO_LEADER)
        observed = replace(observed, contested="; ".join(contest.message for contest in outcome.contests))
        await self._judge(members, observed.members)
        turn = self._still(key, turn, blueprint, observed)
        status = board_status(blueprint, replace(observed, turn=turn), board.status.conditions, self.now())
        self.shown(key, status["conditions"])
        await self._write_status(BOARDROOM, live, status)
        doubt = AGAIN_SECONDS if heard and spoken(live) and not word.good else None
        account, coordinators = (found(kind, coordinator_name(key[1])) for kind in (SERVICE_ACCOUNT, DEPLOYMENT))
        # The watch tells us nothing of what we wrote, and the pods' template was made before their account.
        at_once = 0.0 if accountless and identity.outlived(account, coordinators) else None
        retries = [*(p.retry_seconds for p in problems), *(c.retry_seconds for c in outcome.contests)]
        delays = [*self._delays(key, turn, blueprint, observed), *retries]
        return min((delay for delay in (*delays, doubt, at_once) if delay is not None), default=None)

    def _drawn(
        self, board: Boardroom, agents: list[Object], in_force: EffectiveSettings | None = None
    ) -> tuple[Blueprint, Roster]:
        """The board as it should be, or as its pods run by the settings `in_force`; and who sits on it."""
        blueprint = Blueprint(
            board=board,
            defaults=self.defaults,
            image=self.image,
            clusterwide=self.bindings.clusterwide,
            in_force=in_force,
        )
        members = roster(agents, blueprint)
        if blueprint.spec.lorax.preloads:
            seated = (m.agent for m in members.seated)
            deployment = self.store.get(DEPLOYMENT, blueprint.namespace, lorax_name(blueprint.name))
            blueprint = replace(blueprint, preloaded=preload.preloaded(seated, deployment))
        names = tuple(m.agent.metadata.name for m in members.seated)
        sources = tuple(source for m in members.seated if (source := m.agent.spec.adapter.source))
        return replace(blueprint, members=names, sources=sources), members

    def _turn(self, key: Key, blueprint: Blueprint, replaces_pods: bool) -> Turn:
        """Whether the operator's own change reaches the board now. A user's change always does, and so does any that
        reaches a board which does not answer: it has nothing to lose, and may need the change.
        """
        metadata, status = blueprint.board.metadata, blueprint.board.status
        ready = find(status.conditions, BoardCondition.READY)
        judged = status.observed_generation == metadata.generation and _in_force(blueprint.board) is not None
        if replaces_pods and judged and ready is not None and ready.status == "True":
            return self.rollouts.turn(key, _patience(blueprint))
        return Turn.ROLLING if self.rollouts.rolls(key) else Turn.UP_TO_DATE

    def _still(self, key: Key, turn: Turn, blueprint: Blueprint, observed: Observed) -> Turn:
        """The same after what was done; a turn ends when the board is Ready again, or its time is up."""
        if turn is Turn.ROLLING and (settled(observed) or self.rollouts.left(key, _patience(blueprint)) <= 0):
            turn = Turn.UP_TO_DATE
        if turn is Turn.UP_TO_DATE:
            self.rollouts.leave(key)
        return turn

    def _delays(self, key: Key, turn: Turn, blueprint: Blueprint, observed: Observed) -> list[float | None]:
        """Seconds after which to look again though nothing is heard, by cause."""
        return [
            None if observed.lorax.good else SECRET_GRACE.total_seconds(),
            self.rollouts.left(key, _patience(blueprint)) if turn is Turn.ROLLING else None,
        ]

    def _observe(
        self, key: Key, blueprint: Blueprint, members: Roster, problems: Sequence[Problem], word: Finding
    ) -> Observed:
        return Observed(
            lorax=self._lorax(key, blueprint),
            coordinator=word,
            members=[m if word.good else unheard(m, word) for m in members.seated],
            refused=members.without_seat,
            obstacle=_obstacle(problems),
            replicas=replicas(self.store.get(DEPLOYMENT, key[0], lorax_name(key[1]))),
            enabled=blueprint.settings.enabled,
            suspended=blueprint.spec.suspend,
            standard=blueprint.spec.standard_inference is not None,
            chairless=_chairless(blueprint),
        )

    def _coordinator(self, key: Key, blueprint: Blueprint) -> Finding:
        words = coordinator_words(blueprint)
        return self._workload(key, coordinator_name(key[1]), coordinator.COMPONENT, words)

    def _lorax(self, key: Key, blueprint: Blueprint) -> Finding:
        if blueprint.spec.suspend:
            return suspended(self._pods(key, lorax.COMPONENT))
        if not blueprint.settings.enabled:
            return DISABLED
        return self._workload(key, lorax_name(key[1]), lorax.COMPONENT, lorax_words(blueprint))

    def _workload(self, key: Key, name: str, component: str, words: Words) -> Finding:
        return workload(self.store.get(DEPLOYMENT, key[0], name), self._pods(key, component), words, self.now())

    def _pods(self, key: Key, component: str) -> list[Object]:
        return [
            pod
            for pod in self.store.of_board(POD, key)
            if (pod["metadata"].get("labels") or {}).get("app.kubernetes.io/component") == component
        ]

    async def _judge(self, members: Roster, seated: Sequence[Member]) -> None:
        for subject in (*seated, *members.refused):
            live = self.store.get(BOARDAGENT, subject.agent.metadata.namespace, subject.agent.metadata.name)
            if live is not None:
                await self._write_status(BOARDAGENT, live, agent_status(subject, self.now()))
        for obj, verdict in members.unreadable:
            await self._refuse(obj, verdict)

    async def _judge_all(self, agents: list[Object], verdict: Verdict) -> None:
        for obj in agents:
            await self._refuse(obj, verdict)

    async def _refuse(self, obj: Object, verdict: Verdict) -> None:
        before = read(obj.get("status", {}).get("conditions"))
        generation = obj["metadata"]["generation"]
        await self._write_status(BOARDAGENT, obj, refused_agent_status(verdict, generation, before, self.now()))

    async def _invalid(self, live: Object, error: ValidationError) -> None:
        self.rollouts.leave(key_of(live))
        before = read(live.get("status", {}).get("conditions"))
        status = invalid_status(problems(error), live["metadata"]["generation"], before, self.now())
        self.shown((live["metadata"]["namespace"], live["metadata"]["name"]), status["conditions"])
        await self._write_status(BOARDROOM, live, status)

    async def _write_status(self, kind: Kind, live: Object, status: Object) -> None:
        if not differs(live.get("status"), status):
            return
        metadata = live["metadata"]
        manifest: Object = {
            "apiVersion": kind.api_version,
            "kind": kind.name,
            # The uid keeps a verdict on a deleted object off its successor of the same name.
            "metadata": {"name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"]},
            "status": status,
        }
        result = await self.kube.apply_status(kind, manifest)
        self.store.put(kind, result)
        before = live.get("status", {}).get("conditions") or ()
        happened = board_events if kind is BOARDROOM else agent_events
        await self.recorder.record(kind, live, happened(before, status["conditions"]))


def _in_force(board: Boardroom) -> EffectiveSettings | None:
    """The settings that the board's status says it runs by."""
    return board.status.lorax.effective if board.status.lorax else None


def _chairless(blueprint: Blueprint) -> str:
    chair = blueprint.spec.deliberation.chair_ref
    return chair.name if chair and chair.name not in blueprint.members else ""


def _patience(blueprint: Blueprint) -> float:
    """Seconds that a board may take to be Ready again: as long as its slowest Deployment may take to come up."""
    return float(lorax.deadline(blueprint) if blueprint.settings.enabled else _ROLLOUT_SECONDS)


def _obstacle(problems: Sequence[Problem]) -> Finding | None:
    """The worst problem gives the reason, all of them the message."""
    if not problems:
        return None
    worst = next((p for p in problems if p.stalled), problems[0])
    message = "; ".join(p.message for p in problems)
    return Finding(status="False", reason=worst.reason, message=message, stalled=worst.stalled)
