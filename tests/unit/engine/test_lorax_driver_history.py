"""What was said before, in both of LoRAX's layouts."""

from boardroom.engine.lorax.driver import chat_body, plain_body
from boardroom.engine.protocol import GenerationRequest, PastTurn

REQUEST = GenerationRequest(
    request_id="r1",
    system="Be brief.",
    prompt="Why?",
    adapter_id=None,
    max_new_tokens=5,
    history=(PastTurn("Shall we hire?", "No."),),
)


def test_history_goes_between_system_and_question() -> None:
    assert chat_body(REQUEST)["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Shall we hire?"},
        {"role": "assistant", "content": "No."},
        {"role": "user", "content": "Why?"},
    ]


def test_history_in_the_plain_layout_repeats_its_form() -> None:
    assert plain_body(REQUEST)["inputs"] == (
        "Be brief.\n\nQuestion: Shall we hire?\n\nAnswer: No.\n\nQuestion: Why?\n\nAnswer:"
    )
