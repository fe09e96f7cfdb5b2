"""What coordinators of one board tell each other, as JSON. Pure."""

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
"""How long a follower may send after it has asked for a grant. It counts from before it asked, by its own clock, and
the leader from when it was asked: so the follower always stops first, and clocks are never compared.
"""
POLL_SECONDS: Final = 1.0
"""The leader answers after so long, or at once when something moved."""

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
        """The same error here."""
        if self.fault is not None:
            return AdapterFailed(self.fault, self.text)
        return _ERRORS.get(self.code, EngineError)(self.text)


class OutcomeReport(msgspec.Struct, kw_only=True):
    """What came of a follower's questions at one server since it asked last."""

    incarnation: str = ""
    """Of the server that they were put to: of another one they tell nothing."""
    answers: int = 0
    warm: int = 0
    failures: list[tuple[str | None, ErrorBody]] = []
    doubt: bool = False
    """Whether something broke on the way there, and the follower holds until the leader has looked."""
    base: bool = False
    """Whether a member of its questions speaks as the base model."""

    @classmethod
    def of(cls, backend: Backend, news: OutcomeDelta) -> "OutcomeReport":
        failures = [(path, ErrorBody.of(error)) for (path, _), error in news.failures.items()]
        return cls(
            incarnation=news.incarnation,
            answers=news.answers,
            warm=news.warm,
            failures=failures,
            doubt=backend.health_check.unsure,
            base=backend.admission.base_wanted,
        )


class GrantRequest(msgspec.Struct, kw_only=True):
    """A follower asks the leader for its next grant. Servers go by their keys."""

    leader: str
    """Whom it takes for the leader: another one refuses."""
    follower: str
    version: int
    """The state that it has; 0 where it has none."""
    holds: dict[str, int] = {}
    """The waves for which it sends nothing any more, and nothing of which is on its way any more."""
    told: dict[str, OutcomeReport] = {}


class AdapterReport(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What the leader knows of one adapter on one server."""

    path: str
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
    def of(cls, record: AdapterState) -> "AdapterReport":
        return cls(
            path=record.path,
            state=record.phase,
            finding=record.files,
            failure=ErrorBody.of(record.error) if record.error else None,
            fault=record.reason,
            loaded_digest=record.loaded_digest,
            replaced=record.replaced,
            confirmed=record.confirmed,
            load_ms=record.load_ms,
            last_probe=record.last_probe,
        )

    def write(self, record: AdapterState) -> None:
        """The same here."""
        record.phase, record.files, record.reason = self.state, self.finding, self.fault
        record.error = self.failure.error() if self.failure else None
        record.loaded_digest, record.replaced, record.confirmed = self.loaded_digest, self.replaced, self.confirmed
        record.load_ms, record.last_probe = self.load_ms, self.last_probe


class BackendState(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What the leader knows of one LoRAX server."""

    incarnation: str = ""
    """Which life of the server all of this is of; a leader of a version before does not say."""
    ended_unseen: tuple[str, ...] = ()
    running: bool | None
    why_not: str = ""
    trouble: ErrorBody | None = None
    wave: int | None = None
    """The wave that is under way there, or is about to begin: nothing may be sent."""
    risks: int = 0
    unsure: bool = False
    """Whether another process may be there by now: nothing may be sent."""
    least: int | None = None
    """How many requests this one must have counted."""
    base: bool = False
    base_failure: ErrorBody | None = None
    records: list[AdapterReport] = []
    report: SidecarReport | None = None
    """What its sidecar said last: by it every coordinator finds the same version for a member."""

    @classmethod
    def of(cls, backend: Backend) -> "BackendState":
        seen, admission = backend.health_check, backend.admission
        base, base_error = admission.base
        return cls(
            incarnation=backend.registry.incarnation,
            ended_unseen=backend.registry.ended_unseen,
            running=seen.running,
            why_not=seen.reason,
            trouble=ErrorBody.of(seen.trouble) if seen.trouble else None,
            wave=admission.waves if admission.wave_under_way else None,
            risks=admission.waves_begun,
            unsure=seen.unsure,
            least=seen.least,
            base=base,
            base_failure=ErrorBody.of(base_error) if base_error else None,
            records=[AdapterReport.of(record) for record in backend.registry.states],
            report=backend.report,
        )

    def write(self, backend: Backend) -> None:
        """The same here; an adapter that only one of the two knows is of the incarnation that was known before."""
        registry = backend.registry
        if registry.incarnation != self.incarnation:
            registry.begin_incarnation()
        registry.incarnation, registry.ended_unseen = self.incarnation, self.ended_unseen
        backend.admission.waves_begun = self.risks
        for record in self.records:
            if any(own.path == record.path for own in registry.states):
                record.write(registry[record.path])
        backend.admission.base = self.base, self.base_failure.error() if self.base_failure else None
        trouble = self.trouble.error() if self.trouble else None
        backend.health_check.set_remote(self.running, self.why_not, trouble, self.least)


class GrantResponse(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The leader's answer: a grant for every server that no wave is under way at."""

    version: int
    servers: dict[str, BackendState] | None = None
    """None where nothing moved since the follower's version."""
    metrics: dict[str, int | None] | None = None
    """The board's figures."""


poll_decoder: Final = msgspec.json.Decoder(GrantRequest)
state_decoder: Final = msgspec.json.Decoder(GrantResponse)
encoder: Final = msgspec.json.Encoder()
