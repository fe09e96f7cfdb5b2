"""Token counts: the simple tokenizer, and a model's own from its file where `tokenizers` is installed."""

from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from boardroom.simulator.entry import Sampling
from boardroom.simulator.model_server.answer import Author
from boardroom.simulator.settings import Settings, SettingsError
from boardroom.simulator.tokenizer.file import FileTokenizer, TokenizerError, load_tokenizer
from boardroom.simulator.tokenizer.simple import Token, TokenSpan
from unit.simulator.simulation import serving

installed = pytest.mark.skipif(find_spec("tokenizers") is None, reason="the optional package tokenizers isn't here")


def trained(tmp_path: Path) -> Path:
    """A byte-level tokenizer as Llama 3's and GPT's are, small and with a beginning and an end token."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=300, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(["Why not now, why not now? Analyze the strategy."] * 9, trainer)
    tokenizer.add_special_tokens([AddedToken("<s>", special=True), AddedToken("</s>", special=True)])
    start = tokenizer.token_to_id("<s>")
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", start)])
    file = tmp_path / "tokenizer.json"
    tokenizer.save(str(file))
    return file


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("tokenizer"))


@pytest.mark.skipif(find_spec("tokenizers") is not None, reason="the optional package tokenizers is here")
def test_without_the_package_the_flag_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="pip install tokenizers"):
        Settings(tokenizer=tmp_path / "tokenizer.json").checked()


@installed
def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="there is no file"):
        Settings(tokenizer=tmp_path / "tokenizer.json").checked()


@installed
def test_a_file_that_is_no_tokenizer_is_named(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(TokenizerError, match=r"is no tokenizer\.json"):
        load_tokenizer(tmp_path / "tokenizer.json")


@installed
def test_a_vocabulary_without_an_end_is_refused() -> None:
    from tokenizers import Tokenizer, models

    with pytest.raises(TokenizerError, match="none of the known end tokens"):
        FileTokenizer(Tokenizer(models.BPE()))


@installed
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(text=st.text())
def test_the_tokens_of_a_file_join_to_the_text(file: Path, text: str) -> None:
    tokens = load_tokenizer(file).encode(text)
    assert "".join(token.text for token in tokens) == text


@installed
def test_what_the_tokenizer_puts_in_front_is_special(file: Path) -> None:
    first = load_tokenizer(file).encode("Why", special=True)[0]
    assert first == Token(first.id, "<s>", special=True)


@installed
def test_ids_and_counts_are_the_models_own(file: Path) -> None:
    from tokenizers import Tokenizer

    text = "Why not now? 🙂"
    assert [token.id for token in load_tokenizer(file).encode(text)] == Tokenizer.from_file(str(file)).encode(
        text, add_special_tokens=False
    ).ids


@installed
def test_places_show_the_vocabulary(file: Path) -> None:
    spans = load_tokenizer(file).spans("Why not", special=True)
    assert (spans[0].text, spans[0].start, spans[0].stop) == ("<s>", 0, 0)
    assert TokenSpan(spans[-1].id, "Ġnot", 3, 7) == spans[-1]


@installed
def test_an_answer_ends_in_the_models_own_end_and_keeps_its_limit(file: Path) -> None:
    author = Author("base", "", load_tokenizer(file))
    whole = author.write("p", "q", Sampling(max_new_tokens=2000), "", "")
    cut = author.write("p", "q", Sampling(max_new_tokens=9), "", "")
    assert (whole.tokens[-1].text, whole.finish_reason) == ("</s>", "eos_token")
    assert (len(cut.tokens), cut.finish_reason) == (9, "length")


@installed
async def test_the_server_counts_by_the_file(file: Path) -> None:
    async with serving(tokenizer=file) as lorax:
        body = {
            "inputs": "Why not now",
            "parameters": {"max_new_tokens": 3, "details": True, "decoder_input_details": True},
        }
        details = (await lorax.post("/generate", json=body)).json()["details"]
        tokens = (await lorax.post("/tokenize", json={"inputs": "Why not now"})).json()
    assert [token["text"] for token in tokens][-2:] == ["Ġnot", "Ġnow"]
    assert (details["prompt_tokens"], [token["id"] for token in details["prefill"]]) == (
        len(tokens),
        [token["id"] for token in tokens],
    )


@installed
async def test_a_truncated_prompt_is_its_end(file: Path) -> None:
    async with serving(tokenizer=file) as lorax:
        parameters = {"max_new_tokens": 600, "truncate": 2, "details": True}
        answer = (await lorax.post("/generate", json={"inputs": "Why not now", "parameters": parameters})).json()
    assert (answer["details"]["prompt_tokens"], 'On "not now":' in answer["generated_text"]) == (2, True)
