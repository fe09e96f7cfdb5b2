"""Reconciles one board, level-triggered: builds its objects, applies the difference, writes the status."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Final

from pydantic import ValidationError

from boardroom.api.conditions import BoardCondition, find
from boardroom.api.membership import unknown_board
from boardroom.api.meta import coordinator_name, lorax_name
from boardroom.api.model import problems
from boardroom.api.resources import Boardroom
from boardroom.api.settings import Defaults
from boardroom.api.status import EffectiveSettings
from boardroom.controller.apply.bindings import Bindings
from boardroom.controller.apply.children import Children, Outcome, Problem
from boardroom.controller.events import Recorder, preload_events, reconcile_failed
from boardroom.controller.ownership import Ownership
from boardroom.controller.plan import coordinator, identity, lorax, preload, rbac, rollout
from boardroom.controller.plan.blueprint import Blueprint, Image
from boardroom.controller.plan.children import Child, Live, children
from boardroom.controller.rate_limiter import RateLimiter
from boardroom.controller.rollouts import Rollouts, RolloutState
from boardroom.controller.roster import Roster, roster
from boardroom.controller.status.agent import with_coordinator_not_ready
from boardroom.controller.status.board import DISABLED, Observed, board_status, is_settled, suspended
from boardroom.controller.status.condition_value import ConditionValue
from boardroom.controller.status.coordinator_leases import EXPIRY_SECONDS
from boardroom.controller.status.coordinator_status import CoordinatorStatus
from boardroom.controller.status.expiry import NO_LEADER, has_coordinator_status
from boardroom.controller.status.messages import coordinator_messages, lorax_messages
from boardroom.controller.status.pod_problems import SECRET_GRACE, WorkloadMessages
from boardroom.controller.status.workload import replicas, workload
from boardroom.controller.status_writer import StatusWriter
from boardroom.controller.watch.cache import Store
from boardroom.kube.errors import KubeError, NamespaceTerminatingError
from boardroom.kube.kinds import (
    BOARDAGENT,
    BOARDROOM,
    DEPLOYMENT,
    POD,
    SERVICE_ACCOUNT,
    Key,
    Object,
)

_ROLLOUT_SECONDS: Final = 600
"""Kubernetes' default of progressDeadlineSeconds."""


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """The desired state of a board: its blueprint, roster, objects and rollout."""

    blueprint: Blueprint
    roster: Roster
    children: Sequence[Child]
    rollout: RolloutState


@dataclass(frozen=True, kw_only=True)
class Reconciler:
    """Reconciles one board at a time; different boards may be reconciled at once."""

    store: Store
    children: Children
    bindings: Bindings
    status: StatusWriter
    coordinator_status: CoordinatorStatus
    rollouts: Rollouts
    rate_limiter: RateLimiter
    ownership: Ownership
    recorder: Recorder
    defaults: Defaults
    image: Image
    now: Callable[[], datetime]
    on_conditions: Callable[[Key, Sequence[Object]], None] = lambda _key, _conditions: None
    """Called with the conditions of each reconciled board; an empty sequence for a board that is deleted."""

    async def reconcile(self, key: Key) -> float | None:
        """Bring one board and its agents up to date.

        Returns the seconds after which to reconcile again even without an event, or None. Raises KubeError when the API
        server can't be reached or throttles. The call is idempotent and may be repeated at any time.
        """
        live = self.store.get(BOARDROOM, *key)
        agents = self.store.of_board(BOARDAGENT, key)
        if live is None:
            await self._clean_up(key, agents)
            return None
        if "deletionTimestamp" in live["metadata"]:
            self.rollouts.finish(key)
            return None
        if (delay := await self.ownership.claim(live)) is not None:
            self.rollouts.finish(key)
            self.on_conditions(key, ())
            return delay
        live = self.store.get(BOARDROOM, *key) or live
        try:
            board = Boardroom.model_validate(live)
        except ValidationError as error:
            self.rollouts.finish(key)
            self.on_conditions(key, await self.status.report_invalid(live, problems(error)))
            return None
        try:
            return await self._reconcile_board(key, live, board, agents)
        except NamespaceTerminatingError:
            return None  # the board is deleted with its namespace
        except KubeError:
            raise
        except Exception as error:
            await self.recorder.record(BOARDROOM, live, [reconcile_failed(error)])
            raise

    async def _clean_up(self, key: Key, agents: list[Object]) -> None:
        """The board is deleted: forget it, and tell its agents."""
        self.rollouts.finish(key)
        self.children.forget(key)
        self.coordinator_status.leases.forget(key)
        self.rate_limiter.forget(key)
        self.ownership.forget(key)
        self.on_conditions(key, ())
        await self.bindings.converge(key, None)
        for agent in agents:
            await self.status.reject_agent(agent, unknown_board(key[1], key[0]))

    async def _reconcile_board(self, key: Key, live: Object, board: Boardroom, agents: list[Object]) -> float | None:
        live_object = partial(self.store.get_in, key[0])
        plan = self._plan(key, board, agents, live_object)
        if plan.rollout is not RolloutState.WAITING:
            disturbs_pods = rollout.disturbs_pods(plan.blueprint, plan.children, live_object)
            if disturbs_pods and (delay := self.rate_limiter.take(key)):
                return delay  # the status reports an edit only after its application
        had_account = live_object(SERVICE_ACCOUNT, coordinator_name(key[1])) is not None
        outcome = await self._apply(key, live, plan)
        observed = await self._observe(key, live, agents, plan, outcome)
        await self.status.write_agents(plan.roster, observed.members)
        observed = replace(observed, rollout=self._rollout_after(key, plan, observed))
        status = board_status(plan.blueprint, observed, board.status.conditions, self.now())
        self.on_conditions(key, status["conditions"])
        await self.status.write(BOARDROOM, live, status)
        delays = [
            *(problem.retry_seconds for problem in outcome.problems),
            *(contest.retry_seconds for contest in outcome.contests),
            None if observed.lorax.is_true else SECRET_GRACE.total_seconds(),
            self.rollouts.remaining(key, _patience(plan.blueprint))
            if observed.rollout is RolloutState.ROLLING
            else None,
            EXPIRY_SECONDS if observed.coordinator_may_expire else None,
            # No watch reports what we wrote ourselves: the Deployment was built before its ServiceAccount was created.
            0.0 if not had_account and self._uses_former_account(key) else None,
        ]
        return min((delay for delay in delays if delay is not None), default=None)

    def _plan(self, key: Key, board: Boardroom, agents: list[Object], live_object: Live) -> _Plan:
        """The board as it should be; while it waits for its rollout, by the settings that are in force."""
        blueprint, members = self._blueprint_and_roster(board, agents)
        wanted = children(blueprint, live_object)
        state = self._rollout_state(key, blueprint, rollout.replaces_pods(blueprint, wanted, live_object))
        if state is RolloutState.WAITING:
            blueprint, members = self._blueprint_and_roster(board, agents, in_force=_in_force(board))
            wanted = rollout.applied_while_waiting(children(blueprint, live_object), live_object)
        return _Plan(blueprint=blueprint, roster=members, children=wanted, rollout=state)

    async def _apply(self, key: Key, live: Object, plan: _Plan) -> Outcome:
        outcome = await self.children.converge(key, plan.blueprint.board.metadata.uid, plan.children)
        await self.recorder.record(BOARDROOM, live, preload_events(plan.blueprint, outcome.changes))
        problems = await self.bindings.converge(key, rbac.auth_binding(plan.blueprint))
        return replace(outcome, problems=[*outcome.problems, *problems])

    def _blueprint_and_roster(
        self, board: Boardroom, agents: list[Object], in_force: EffectiveSettings | None = None
    ) -> tuple[Blueprint, Roster]:
        """The board's blueprint, by the settings `in_force` where they are given, and its agents."""
        blueprint = Blueprint(
            board=board,
            defaults=self.defaults,
            image=self.image,
            clusterwide=self.bindings.clusterwide,
            in_force=in_force,
        )
        members = roster(agents, blueprint)
        accepted = [m.agent for m in members.accepted]
        if blueprint.spec.lorax.preloads:
            deployment = self.store.get(DEPLOYMENT, blueprint.namespace, lorax_name(blueprint.name))
            blueprint = replace(blueprint, preloaded=preload.preloaded(accepted, deployment))
        names = tuple(agent.metadata.name for agent in accepted)
        sources = tuple(source for agent in accepted if (source := agent.spec.adapter.source))
        return replace(blueprint, members=names, sources=sources), members

    def _rollout_state(self, key: Key, blueprint: Blueprint, replaces_pods: bool) -> RolloutState:
        """Whether a change of the operator's own reaches the board now.

        A user's change is always applied at once. So is any change to a board that is not Ready: it has nothing to lose
        and may need the change.
        """
        metadata, status = blueprint.board.metadata, blueprint.board.status
        ready = find(status.conditions, BoardCondition.READY)
        is_observed = status.observed_generation == metadata.generation and _in_force(blueprint.board) is not None
        if replaces_pods and is_observed and ready is not None and ready.status == "True":
            return self.rollouts.admit(key, _patience(blueprint))
        return RolloutState.ROLLING if self.rollouts.is_rolling(key) else RolloutState.UP_TO_DATE

    def _rollout_after(self, key: Key, plan: _Plan, observed: Observed) -> RolloutState:
        """The state once the change is applied: a rollout ends when the board is Ready again or its time is up."""
        state = plan.rollout
        if state is RolloutState.ROLLING:
            is_overdue = self.rollouts.remaining(key, _patience(plan.blueprint)) <= 0
            state = RolloutState.UP_TO_DATE if is_settled(observed) or is_overdue else state
        if state is RolloutState.UP_TO_DATE:
            self.rollouts.finish(key)
        return state

    async def _observe(self, key: Key, live: Object, agents: list[Object], plan: _Plan, outcome: Outcome) -> Observed:
        blueprint = plan.blueprint
        coordinator = self._coordinator(key, blueprint)
        is_valid = await self.coordinator_status.is_valid(live, agents, up=coordinator.is_true)
        may_expire = is_valid and has_coordinator_status(live) and not coordinator.is_true
        if coordinator.is_true and not is_valid:
            coordinator = NO_LEADER
        members = plan.roster.accepted
        if not coordinator.is_true:
            members = tuple(with_coordinator_not_ready(member, coordinator) for member in members)
        return Observed(
            lorax=self._lorax(key, blueprint),
            coordinator=coordinator,
            coordinator_may_expire=may_expire,
            members=members,
            rejected=plan.roster.rejection_reasons,
            obstacle=_obstacle(outcome.problems),
            replicas=replicas(self.store.get(DEPLOYMENT, key[0], lorax_name(key[1]))),
            enabled=blueprint.settings.enabled,
            suspended=blueprint.spec.suspend,
            standard=blueprint.spec.standard_inference is not None,
            contested="; ".join(contest.message for contest in outcome.contests),
            missing_chair=_missing_chair(blueprint),
        )

    def _uses_former_account(self, key: Key) -> bool:
        """Whether the coordinator's pods may hold tokens of a ServiceAccount that was replaced."""
        account, deployment = (
            self.store.get(kind, key[0], coordinator_name(key[1])) for kind in (SERVICE_ACCOUNT, DEPLOYMENT)
        )
        return identity.may_use_former_account(account, deployment)

    def _coordinator(self, key: Key, blueprint: Blueprint) -> ConditionValue:
        messages = coordinator_messages(blueprint)
        return self._workload(key, coordinator_name(key[1]), coordinator.COMPONENT, messages)

    def _lorax(self, key: Key, blueprint: Blueprint) -> ConditionValue:
        if blueprint.spec.suspend:
            return suspended(self._pods(key, lorax.COMPONENT))
        if not blueprint.settings.enabled:
            return DISABLED
        return self._workload(key, lorax_name(key[1]), lorax.COMPONENT, lorax_messages(blueprint))

    def _workload(self, key: Key, name: str, component: str, messages: WorkloadMessages) -> ConditionValue:
        return workload(self.store.get(DEPLOYMENT, key[0], name), self._pods(key, component), messages, self.now())

    def _pods(self, key: Key, component: str) -> list[Object]:
        return [
            pod
            for pod in self.store.of_board(POD, key)
            if (pod["metadata"].get("labels") or {}).get("app.kubernetes.io/component") == component
        ]


def _in_force(board: Boardroom) -> EffectiveSettings | None:
    """The settings in use by the board, according to its status."""
    return board.status.lorax.effective if board.status.lorax else None


def _missing_chair(blueprint: Blueprint) -> str:
    """The agent that spec.deliberation.chairRef names, if it is not a member."""
    chair = blueprint.spec.deliberation.chair_ref
    return chair.name if chair and chair.name not in blueprint.members else ""


def _patience(blueprint: Blueprint) -> float:
    """Seconds that a rollout of a board may take: the progress deadline of its slowest Deployment."""
    return float(lorax.deadline(blueprint) if blueprint.settings.enabled else _ROLLOUT_SECONDS)


def _obstacle(problems: Sequence[Problem]) -> ConditionValue | None:
    """The worst problem gives the reason, all of them the message."""
    if not problems:
        return None
    worst = next((p for p in problems if p.stalled), problems[0])
    message = "; ".join(p.message for p in problems)
    return ConditionValue(status="False", reason=worst.reason, message=message, stalled=worst.stalled)
