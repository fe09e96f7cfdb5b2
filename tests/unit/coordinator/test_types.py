"""The prompts in which members see each other's answers."""

from boardroom.api.ask import AnswerStatus
from boardroom.coordinator.deliberation.types import prompt_with_answers
from boardroom.coordinator.response import MemberAnswer


def answer(role: str, text: str | None) -> MemberAnswer:
    status = AnswerStatus.FAILED if text is None else AnswerStatus.ANSWERED
    return MemberAnswer(agent=role.lower(), role=role, status=status, text=text)


def test_answers_stand_under_the_question_by_role_and_the_task_is_last() -> None:
    answers = [answer("CEO", "Grow."), answer("CFO", None), answer("CTO", "Build.")]
    assert prompt_with_answers("Why?", answers, "Decide.") == (
        "Why?\n\nThe board has said so far:\n\nCEO: Grow.\n\nCTO: Build.\n\nDecide."
    )


def test_where_nobody_answered_the_question_stands_alone() -> None:
    assert prompt_with_answers("Why?", [answer("CFO", None)], "Decide.") == "Why?"
