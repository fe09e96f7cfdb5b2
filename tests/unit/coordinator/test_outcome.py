"""What a member's request without a usable answer becomes."""

import pytest

from boardroom.api.ask import EngineName
from boardroom.coordinator.backends.outcome import empty_response, failed, superseded
from boardroom.coordinator.listener import MemberStream
from boardroom.engine.errors import BadResponse, Overloaded, Superseded
from boardroom.engine.protocol import GenerationRequest
from unit.coordinator.listeners import Recorder

REQUEST = GenerationRequest(request_id="r", system="", prompt="p", adapter_id=None, max_new_tokens=1)


def test_a_failure_says_why_at_which_time_and_by_which_engine() -> None:
    outcome = failed(Overloaded("busy"), 7.0, EngineName.STANDARD)
    assert (str(outcome.result), outcome.finished, outcome.reason, outcome.engine) == (
        "busy", 7.0, "busy", EngineName.STANDARD,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("engine", "stop", "message"),
    [
        (EngineName.LORAX, (), "LoRAX answered with an empty text"),
        (EngineName.STANDARD, ("x",), "standard inference answered with an empty text; a stop sequence may have"),
    ],
)
def test_an_empty_text_is_a_failure_that_names_the_engine(
    engine: EngineName, stop: tuple[str, ...], message: str
) -> None:
    request = GenerationRequest(request_id="r", system="", prompt="p", adapter_id=None, max_new_tokens=1, stop=stop)
    outcome = empty_response(request, 0.0, engine, None)
    assert isinstance(outcome.result, BadResponse)
    assert outcome.reason.startswith(message)


def test_an_answer_of_an_earlier_incarnation_is_taken_back_from_a_stream() -> None:
    listener = Recorder()
    stream = MemberStream(listener, "ceo")
    stream.text("half")
    outcome = superseded(1.0, stream)
    assert isinstance(outcome.result, Superseded)
    assert listener.events == [("delta", "ceo", "half"), ("restarted", "ceo", outcome.reason)]
