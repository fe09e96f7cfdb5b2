"""The outcome of a member's request to an engine. Pure."""

import msgspec

from boardroom.api.ask import EngineName
from boardroom.coordinator.listener import MemberStream
from boardroom.coordinator.response import AdapterIdentity
from boardroom.engine.errors import BadResponse, EngineError, Superseded
from boardroom.engine.protocol import Generation, GenerationRequest


class Outcome(msgspec.Struct, frozen=True):
    """A member's outcome. `finished` is a time of the event loop's clock. `reason` tells the failures in order.

    `fallback_reason` says why LoRAX did not give the answer that standard inference gave. `adapter` names the weights
    that answered, and `no_digest_reason` says why they are unknown.
    """

    result: Generation | EngineError
    finished: float
    cold_load: bool = False
    reason: str = ""
    engine: EngineName = EngineName.LORAX
    fallback_reason: str = ""
    adapter: AdapterIdentity | None = None
    no_digest_reason: str = ""
    replica: str | None = None
    """Name of the LoRAX server that answered."""


def superseded(now: float, stream: MemberStream | None) -> Outcome:
    """The outcome of an answer that may come from another process than the one that loaded the adapters."""
    error = Superseded("LoRAX has started anew meanwhile, and this answer may be the base model's")
    if stream is not None:
        stream.failed(str(error))
    return failed(error, now)


def empty_response(request: GenerationRequest, now: float, engine: EngineName, stream: MemberStream | None) -> Outcome:
    """The outcome of an answer without any text, which counts as a failure."""
    who = "LoRAX" if engine is EngineName.LORAX else "standard inference"
    why = "; a stop sequence may have ended it at once" if request.stop else ""
    error = BadResponse(f"{who} answered with an empty text{why}")
    if stream is not None:
        stream.failed(str(error))
    return failed(error, now, engine)


def failed(error: EngineError, now: float, engine: EngineName = EngineName.LORAX) -> Outcome:
    """The outcome of a request that failed with this error."""
    return Outcome(error, now, reason=str(error), engine=engine)
