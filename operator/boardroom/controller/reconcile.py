"""One board, level-triggered: observe, build what should be, apply the difference, say what is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pydantic import ValidationError

from boardroom.api.admission import Verdict, admit, unknown_board
from boardroom.api.conditions import AgentCondition, read
from boardroom.api.meta import coordinator_name, lorax_name
from boardroom.api.model import problems
from boardroom.api.resources import BoardAgent, Boardroom
from boardroom.api.settings import Defaults
from boardroom.api.status import EffectiveSettings
from boardroom.controller.bindings import Bindings
from boardroom.controller.children import Children, Problem
from boardroom.controller.events import Recorder, agent_events, board_events
from boardroom.controller.kinds import BOARDAGENT, BOARDROOM, DEPLOYMENT, POD, Key, Kind, Object
from boardroom.controller.kubeclient import Kube, NamespaceTerminatingError
from boardroom.controller.plan import coordinator, lorax, rbac
from boardroom.controller.plan.blueprint import Blueprint, Image
from boardroom.controller.plan.children import children
from boardroom.controller.status.agent import Member, agent_status, member, unreadable_agent_status
from boardroom.controller.status.board import DISABLED, Observed, board_status, invalid_status, suspended
from boardroom.controller.status.conditions import differs
from boardroom.controller.status.finding import Finding
from boardroom.controller.status.trouble import SECRET_GRACE, Words
from boardroom.controller.status.words import coordinator_words, lorax_words
from boardroom.controller.status.workload import replicas, workload
from boardroom.controller.store import Store

_RETRY_OBSTACLE_SECONDS: Final = 60.0
"""An object in the way has no label of ours, so no watch tells when it is gone."""


@dataclass(frozen=True, kw_only=True)
class Roster:
    """A board's agents: those with a seat, those refused, and those whose spec can't be read."""

    seated: tuple[Member, ...]
    refused: tuple[Member, ...]
    unreadable: tuple[tuple[Object, Verdict], ...]

    @property
    def without_seat(self) -> dict[str, str]:
        """Why each agent without a seat has none."""
        names = {m.agent.metadata.name: m.verdict.reason for m in self.refused}
        return names | {obj["metadata"]["name"]: verdict.reason for obj, verdict in self.unreadable}


@dataclass(frozen=True, kw_only=True)
class Reconciler:
    """Reconciles one board at a time; different boards may be reconciled at once."""

    kube: Kube
    store: Store
    children: Children
    bindings: Bindings
    recorder: Recorder
    defaults: Defaults
    image: Image
    now: Callable[[], datetime]

    async def reconcile(self, key: Key) -> float | None:
        """Bring one board and its agents up to date.

        Returns the seconds after which to look again even if nothing is heard, or None. Raises KubeError when the API
        server can't be reached or asks for patience; the same call may be repeated at any time.
        """
        live = self.store.get(BOARDROOM, *key)
        agents = self.store.of_board(BOARDAGENT, key)
        if live is None:
            self.children.forget(key)
            await self.bindings.converge(key, None)
            await self._judge_all(agents, unknown_board(key[1], key[0]))
            return None
        if "deletionTimestamp" in live["metadata"]:
            return None
        try:
            board = Boardroom.model_validate(live)
        except ValidationError as error:
            await self._invalid(live, error)
            return None
        try:
            return await self._board(key, live, board, agents)
        except NamespaceTerminatingError:
            return None  # the board goes with its namespace

    async def _board(self, key: Key, live: Object, board: Boardroom, agents: list[Object]) -> float | None:
        settings = Blueprint(board=board, defaults=self.defaults, image=self.image).settings
        members = roster(agents, settings)
        blueprint = Blueprint(
            board=board,
            defaults=self.defaults,
            image=self.image,
            members=tuple(m.agent.metadata.name for m in members.seated),
        )
        wanted = children(blueprint, lambda kind, name: self.store.get(kind, key[0], name))
        problems = await self.children.converge(key, board.metadata.uid, wanted)
        problems += await self.bindings.converge(key, rbac.auth_binding(blueprint))
        await self._judge(members)
        observed = self._observe(key, blueprint, members, problems)
        status = board_status(blueprint, observed, board.status.conditions, self.now())
        await self._write_status(BOARDROOM, live, status)
        if problems:
            return _RETRY_OBSTACLE_SECONDS
        return None if observed.lorax.good else SECRET_GRACE.total_seconds()

    def _observe(self, key: Key, blueprint: Blueprint, members: Roster, problems: Sequence[Problem]) -> Observed:
        return Observed(
            lorax=self._lorax(key, blueprint),
            coordinator=self._workload(
                key, coordinator_name(key[1]), coordinator.COMPONENT, coordinator_words(blueprint)
            ),
            members=members.seated,
            refused=members.without_seat,
            obstacle=_obstacle(problems),
            replicas=replicas(self.store.get(DEPLOYMENT, key[0], lorax_name(key[1]))),
            enabled=blueprint.settings.enabled,
            suspended=blueprint.spec.suspend,
            standard=blueprint.spec.standard_inference is not None,
        )

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

    async def _judge(self, members: Roster) -> None:
        for subject in (*members.seated, *members.refused):
            live = self.store.get(BOARDAGENT, subject.agent.metadata.namespace, subject.agent.metadata.name)
            if live is not None:
                await self._write_status(BOARDAGENT, live, agent_status(subject, self.now()))
        for obj, verdict in members.unreadable:
            await self._refuse(obj, verdict)

    async def _judge_all(self, agents: list[Object], verdict: Verdict) -> None:
        for obj in agents:
            await self._refuse(obj, verdict)

    async def _refuse(self, obj: Object, verdict: Verdict) -> None:
        finding = Finding(status="False", reason=verdict.reason, message=verdict.message)
        findings = {AgentCondition.READY: finding, AgentCondition.ACCEPTED: finding}
        before = read(obj.get("status", {}).get("conditions"))
        generation = obj["metadata"]["generation"]
        await self._write_status(BOARDAGENT, obj, unreadable_agent_status(findings, generation, before, self.now()))

    async def _invalid(self, live: Object, error: ValidationError) -> None:
        before = read(live.get("status", {}).get("conditions"))
        status = invalid_status(problems(error), live["metadata"]["generation"], before, self.now())
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


def roster(agents: Sequence[Object], settings: EffectiveSettings) -> Roster:
    """Who of these agents has a seat."""
    readable: list[BoardAgent] = []
    unreadable: list[tuple[Object, Verdict]] = []
    for obj in agents:
        if "deletionTimestamp" in obj["metadata"]:
            continue
        try:
            readable.append(BoardAgent.model_validate(obj))
        except ValidationError as error:
            message = f"{problems(error)}; mend spec, or install the CRDs of the operator's own version"
            unreadable.append((obj, Verdict(accepted=False, reason="InvalidSpec", message=message)))
    verdicts = admit((agent.candidate for agent in readable), settings.max_members)
    members = [member(agent, verdicts[agent.metadata.name]) for agent in readable]
    return Roster(
        seated=tuple(m for m in members if m.verdict.accepted),
        refused=tuple(m for m in members if not m.verdict.accepted),
        unreadable=tuple(unreadable),
    )


def _obstacle(problems: Sequence[Problem]) -> Finding | None:
    """The worst problem gives the reason, all of them the message."""
    if not problems:
        return None
    worst = next((p for p in problems if p.stalled), problems[0])
    message = "; ".join(p.message for p in problems)
    return Finding(status="False", reason=worst.reason, message=message, stalled=worst.stalled)
