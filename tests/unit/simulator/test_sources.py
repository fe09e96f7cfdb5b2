"""What LoRAX's server says of adapters that it can't use, word for word."""

from pathlib import Path

import pytest

from boardroom.adapters import read
from boardroom.adapters.families import architecture
from boardroom.adapters.synthetic import Shape, make
from boardroom.simulator.model_server.compatibility import incompatibility
from boardroom.simulator.model_server.sources import AdapterSources, SourceError
from unit.simulator.simulation import MODEL


def complaint(adapter_id: str | Path, source: str = "local", cache: Path = Path("/nowhere")) -> str:
    sources = AdapterSources(cache)
    try:
        sources.download(str(adapter_id), source, None)
        sources.load(str(adapter_id), source, None)
    except SourceError as error:
        return str(error)
    pytest.fail(f"{adapter_id} loads")


def test_a_whole_adapter_is_downloaded_by_the_bytes_of_its_tensors_and_loaded_with_its_digest(ceo: Path) -> None:
    sources = AdapterSources(Path("/nowhere"))
    size = sources.download(str(ceo), "local", None)
    weights = sources.load(str(ceo), "local", None)
    assert (size, weights.digest) == (4 * 2 * 8 * (64 + 64 + 64 + 16), read(ceo).digest)


def test_a_cached_adapter_of_the_hub_is_found(tmp_path: Path) -> None:
    make(tmp_path, ["ceo"], Shape())
    snapshots = tmp_path / "models--org--ceo" / "snapshots"
    snapshots.mkdir(parents=True)
    (tmp_path / "ceo_lora_adapter").rename(snapshots / "abc123")
    (tmp_path / "models--org--ceo" / "refs").mkdir()
    (tmp_path / "models--org--ceo" / "refs" / "main").write_text("abc123")
    assert AdapterSources(tmp_path).download("org/ceo", "hub", None) > 0


def test_without_a_network_an_adapter_of_the_hub_is_not_found() -> None:
    assert complaint("org/ceo", "hub") == "No valid adapter config file found: tried None and None"


def test_an_unknown_source_is_named() -> None:
    assert complaint("x", "ftp") == "Invalid source 'ftp' when downloading adapter 'x'"


def test_an_unknown_source_of_an_adapter_that_was_there_is_named_in_other_words(ceo: Path) -> None:
    with pytest.raises(SourceError, match=f"^Invalid source 'ftp' when loading adapter '{ceo}'$"):
        AdapterSources(Path("/nowhere")).load(str(ceo), "ftp", None)


def test_weights_that_went_between_download_and_load_are_missed_by_their_own_name(ceo: Path) -> None:
    (ceo / "adapter_model.safetensors").unlink()
    with pytest.raises(SourceError, match=f"^No local weights found in {ceo} with extension .safetensors$"):
        AdapterSources(Path("/nowhere")).load(str(ceo), "local", None)


def test_a_missing_directory(tmp_path: Path) -> None:
    assert complaint(tmp_path / "nobody") == "No valid adapter config file found: tried None and None"


def test_a_full_model_instead_of_an_adapter(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    assert complaint(tmp_path) == f"No valid adapter config file found: tried None and {tmp_path}/config.json"


def test_a_config_without_weights(ceo: Path) -> None:
    (ceo / "adapter_model.safetensors").unlink()
    assert complaint(ceo) == f"No local weights found in {ceo} with extension .bin"


def test_pickles_on_a_read_only_mount(ceo: Path) -> None:
    (ceo / "adapter_model.safetensors").rename(ceo / "adapter_model.bin")
    assert "ReadOnlyFilesystem" in complaint(ceo)


def test_a_broken_config(ceo: Path) -> None:
    (ceo / "adapter_config.json").write_text("{")
    assert complaint(ceo) == "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"torn", "Length of safetensor file less than 8 bytes: {file}"),
        ((99).to_bytes(8, "little"), "Header extends past end of file: {file}"),
        ((4).to_bytes(8, "little") + b"nope", "Expecting value: line 1 column 1 (char 0)"),
        (
            (57).to_bytes(8, "little") + b'{"x": {"dtype":"F32","shape":[2],"data_offsets":[0,8]}}  1234',
            "Error while deserializing header: incomplete metadata, file not fully covered",
        ),
    ],
)
def test_broken_weights(ceo: Path, content: bytes, said: str) -> None:
    file = ceo / "adapter_model.safetensors"
    file.write_bytes(content)
    assert complaint(ceo) == said.format(file=file)


@pytest.mark.parametrize("adapter_id", ["x" * 5000, "/models/a\0b", "/models/\ud800"])
def test_an_id_that_no_file_system_takes_is_an_error_and_no_crash(adapter_id: str) -> None:
    assert complaint(adapter_id) != ""


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("mistralai/Mistral-7B-Instruct-v0.1", "MistralForCausalLM"),
        ("google/gemma-2-9b", "Gemma2ForCausalLM"),
        ("meta-llama/Llama-2-7b-hf", "LlamaForCausalLM"),
        ("acme/unknown", None),
    ],
)
def test_the_name_tells_the_architecture(model: str, expected: str | None) -> None:
    assert architecture(model) == expected


@pytest.mark.parametrize("trained_on", [None, "", "acme/m", "mistralai/Mistral-7B-v0.1"])
def test_an_adapter_fits(trained_on: str | None) -> None:
    model = "acme/m" if trained_on == "acme/m" else MODEL
    assert incompatibility("x", trained_on, model) is None


@pytest.mark.parametrize("trained_on", ["meta-llama/Llama-2-7b-hf", "acme/m"])
def test_an_adapter_does_not_fit(trained_on: str | None) -> None:
    refusal = incompatibility("x", trained_on, MODEL)
    assert refusal is not None
    assert refusal.startswith("Adapter 'x' is not compatible with model 'mistralai/Mistral-7B-Instruct-v0.1'. ")
