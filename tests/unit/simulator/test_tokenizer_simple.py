"""The tokenizer that needs no file."""

from boardroom.simulator.tokenizer.file import load_tokenizer
from boardroom.simulator.tokenizer.simple import SimpleTokenizer


def test_the_simple_tokenizer_is_what_there_is_without_a_file() -> None:
    assert isinstance(load_tokenizer(None), SimpleTokenizer)


def test_the_simple_tokenizer_cuts_as_documented() -> None:
    texts = [token.text for token in SimpleTokenizer().encode("Strategically,  why?</s>", special=True)]
    assert texts == ["<s>", "Strategi", "cally", ",", " ", " why", "?", "</s>"]
