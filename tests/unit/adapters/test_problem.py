"""Why an adapter can't be served."""

from boardroom.adapters.problem import Problem, ProblemError


def test_a_message_is_kept_as_it_is_up_to_its_bound() -> None:
    assert Problem("TooLarge", "x" * 2000).message == "x" * 2000


def test_of_a_longer_one_both_ends_are_kept() -> None:
    assert Problem("TooLarge", "a" * 1500 + "b" * 1500).message == "a" * 1000 + " ... " + "b" * 1000


def test_the_error_carries_it() -> None:
    error = ProblemError("AdapterMissing", "no such directory")
    assert (error.problem, str(error)) == (Problem("AdapterMissing", "no such directory"), "no such directory")
