"""The JSON messages between coordinators of a board. Pure."""

from datetime import datetime
from typing import Final

import msgspec

from boardroom.adapters.protocol import AdapterFiles
from boardroom.coordinator.backends.adapter_state import AdapterPhase, AdapterState
from boardroom.coordinator.backends.backend import Backend, OutcomeDelta
from boardroom.coordinator.backends.sidecar import SidecarReport
from boardroom.engine import errors
from boardroom.engine.errors import AdapterFailed, AdapterFault, EngineError

PATH: Final = "/peers"
GRANT_SECONDS: Final = 3.0
"""The seconds for which a follower may send after it has asked for a grant. The follower counts from before its
request, by its own clock; the leader counts from the request's arrival. So the follower always stops first, and no
clocks are compared.
"""
POLL_SECONDS: Final = 1.0
"""The leader answers after this many seconds, or at once when its state has changed."""

BASE_MODEL: Final = ""
"""LoRAX takes an empty adapter_id for the base model too; a coordinator of an earlier version knows no such adapter."""

_ERRORS: Final = {
    error.code: error
    for error in vars(errors).values()
    if isinstance(error, type) and issubclass(error, EngineError) and error is not AdapterFailed
}


class ErrorBody(msgspec.Struct, frozen=True):
    """An engine's error."""

    code: str
    text: str
    fault: AdapterFault | None = None

    @classmethod
    def of(cls, error: EngineError) -> "ErrorBody":
        return cls(error.code, str(error), error.fault if isinstance(error, AdapterFailed) else None)

    def error(self) -> EngineError:
        """The EngineError that the message describes."""
        if self.fault is not None:
            return AdapterFailed(self.fault, self.text)
        return _ERRORS.get(self.code, EngineError)(self.text)


class OutcomeReport(msgspec.Struct, kw_only=True):
    """The outcomes of a follower's questions at a server since the follower's last request."""

    incarnation: str = ""
    """The incarnation of the server that got the questions; the outcomes tell nothing of another incarnation."""
    answers: int = 0
    warm: int = 0
    failures: list[tuple[str | None, ErrorBody]] = []
    unsure: bool = msgspec.field(default=False, name="doubt")
    """Whether a connection to the server broke, so that the follower holds until the leader has checked the server."""
    base: bool = False
    """Whether a member uses the base model: a leader of an earlier version loads it only if a follower asks for it."""

    @classmethod
    def of(cls, backend: Backend, news: OutcomeDelta) -> "OutcomeReport":
        failures = [(path, ErrorBody.of(error)) for (path, _), error in news.failures.items()]
        return cls(
            incarnation=news.incarnation,
            answers=news.answers,
            warm=news.warm,
            failures=failures,
            unsure=backend.health_check.unsure,
            base=None in backend.registry,
        )


class GrantRequest(msgspec.Struct, kw_only=True):
    """A follower asks the leader for its next grant. Servers go by their keys."""

    leader: str
    """The leader's identity as the follower knows it: another coordinator refuses the request."""
    follower: str
    version: int
    """The version of the state that the follower has; 0: none."""
    holds: dict[str, int] = {}
    """The waves for which the follower has stopped sending, with no request on its way any more."""
    told: dict[str, OutcomeReport] = {}


class AdapterReport(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The leader's state of an adapter on a server."""

    path: str
    """BASE_MODEL stands for the base model."""
    state: AdapterPhase
    finding: AdapterFiles | None = None
    failure: ErrorBody | None = None
    fault: str = ""
    loaded_digest: str | None = None
    replaced: bool = False
    confirmed: bool = True
    load_ms: int | None = None
    last_probe: datetime | None = None

    @classmethod
    def of(cls, state: AdapterState) -> "AdapterReport":
        return cls(
            path=BASE_MODEL if state.path is None else state.path,
            state=state.phase,
            finding=state.files,
            failure=ErrorBody.of(state.error) if state.error else None,
            fault=state.reason,
            loaded_digest=state.loaded_digest,
            replaced=state.replaced,
            confirmed=state.confirmed,
            load_ms=state.load_ms,
            last_probe=state.last_probe,
        )

    def to_state(self) -> AdapterState:
        """The AdapterState that the message describes, without the retry time: the leader decides on retries."""
        return AdapterState(
            path=None if self.path == BASE_MODEL else self.path,
            phase=self.state,
            files=self.finding,
            error=self.failure.error() if self.failure else None,
            reason=self.fault,
            loaded_digest=self.loaded_digest,
            replaced=self.replaced,
            confirmed=self.confirmed,
            load_ms=self.load_ms,
            last_probe=self.last_probe,
        )


class BackendState(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The leader's state of a LoRAX server."""

    incarnation: str = ""
    """The incarnation of the server in this state; a leader of an earlier version leaves it empty."""
    ended_unseen: tuple[str, ...] = ()
    running: bool | None
    reason: str = msgspec.field(default="", name="why_not")
    error: ErrorBody | None = msgspec.field(default=None, name="trouble")
    wave: int | None = None
    """The wave that is under way there, or is about to begin: nothing may be sent."""
    risks: int = 0
    """The number of waves that have begun."""
    unsure: bool = False
    """Whether another process may run by now: nothing may be sent."""
    least: int | None = None
    """The number of requests that the known process must have counted."""
    base: bool = False
    """Whether the base model is ready, for coordinators of an earlier version, which read no record of it."""
    records: list[AdapterReport] = []
    report: SidecarReport | None = None
    """The last report of the server's sidecar: from it every coordinator finds the same version for a member."""

    @classmethod
    def of(cls, backend: Backend) -> "BackendState":
        health, admission, registry = backend.health_check, backend.admission, backend.registry
        return cls(
            incarnation=registry.incarnation,
            ended_unseen=registry.ended_unseen,
            running=health.running,
            reason=health.reason,
            error=ErrorBody.of(health.error) if health.error else None,
            wave=admission.waves if admission.wave_under_way else None,
            risks=admission.waves_begun,
            unsure=health.unsure,
            least=health.least,
            base=registry.is_ready(None),
            records=[AdapterReport.of(state) for state in registry.states],
            report=backend.report,
        )

    def states(self) -> list[AdapterState]:
        """The state of every adapter that the leader knows. A leader of an earlier version reports the base
        model apart from adapters, and only whether it is ready.
        """
        states = [record.to_state() for record in self.records]
        apart = self.base and all(state.path is not None for state in states)
        return [*states, AdapterState(path=None, phase=AdapterPhase.READY)] if apart else states

    def write(self, backend: Backend) -> None:
        """Write the state into the follower's backend."""
        backend.registry.observe(self.incarnation, self.ended_unseen, self.states())
        backend.admission.observe_waves(self.risks)
        error = self.error.error() if self.error else None
        backend.health_check.set_remote(self.running, self.reason, error, self.least)


class GrantResponse(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The leader's answer: a grant for every server that no wave is under way at."""

    version: int
    servers: dict[str, BackendState] | None = None
    """None: nothing has changed since the follower's version."""
    metrics: dict[str, int | None] | None = None
    """The board's figures."""


poll_decoder: Final = msgspec.json.Decoder(GrantRequest)
state_decoder: Final = msgspec.json.Decoder(GrantResponse)
encoder: Final = msgspec.json.Encoder()
