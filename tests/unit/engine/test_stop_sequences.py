"""A text ends before its first stop sequence, in whatever pieces it comes."""

from hypothesis import example, given
from hypothesis import strategies as st

from boardroom.engine.protocol import Generation
from boardroom.engine.stop_sequences import StopCut, cut

TEXT = st.text(alphabet="ab \n", max_size=30)
SEQUENCES = st.lists(st.text(alphabet="ab \n", min_size=1, max_size=4), max_size=4)


def whole(text: str, sequences: list[str]) -> str:
    return cut(generation(text), sequences).text


def generation(text: str) -> Generation:
    return Generation(text=text, finish_reason="length", prompt_tokens=7, completion_tokens=3)


def in_pieces(pieces: list[str], sequences: list[str]) -> str:
    stops = StopCut(sequences)
    return "".join([*map(stops.feed, pieces), stops.end()])


@given(st.lists(TEXT, max_size=6), SEQUENCES)
@example(["aa", "ab"], ["aab"])
@example(["abab", "abb"], ["ababb"])
def test_pieces_make_the_text_that_the_whole_makes(pieces: list[str], sequences: list[str]) -> None:
    assert in_pieces(pieces, sequences) == whole("".join(pieces), sequences)


@given(TEXT, SEQUENCES)
def test_the_text_holds_no_sequence_and_nothing_else_is_lost(text: str, sequences: list[str]) -> None:
    found = whole(text, sequences)
    assert text.startswith(found)
    assert not [one for one in sequences if one in found]
    assert found == text or [one for one in sequences if text.startswith(found + one)]


@given(st.lists(TEXT, max_size=6), SEQUENCES)
def test_no_more_is_held_back_than_what_a_sequence_may_begin_with(pieces: list[str], sequences: list[str]) -> None:
    stops = StopCut(sequences)
    said = ""
    for at, piece in enumerate(pieces):
        said += stops.feed(piece)
        held = "".join(pieces[: at + 1])[len(said) :]
        assert stops.found or not held or [one for one in sequences if one.startswith(held)]


def test_an_answer_that_is_cut_ended_there_and_keeps_the_tokens_that_were_counted() -> None:
    found = cut(generation("Sell. END"), ["END"])
    assert found == Generation(text="Sell. ", finish_reason="stop", prompt_tokens=7, completion_tokens=3)


def test_an_answer_without_its_stop_sequence_stays_as_it_is() -> None:
    assert cut(generation("Sell."), ["END"]) == generation("Sell.")
