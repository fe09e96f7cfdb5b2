"""boardroom.adapters.read: what a directory says of its adapter."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from boardroom.adapters import Digests, Problem, read
from boardroom.adapters.files import adapter_files
from boardroom.adapters.synthetic import Shape, make


@pytest.fixture
def ceo(tmp_path: Path) -> Path:
    make(tmp_path, ["CEO"], Shape())
    return tmp_path / "ceo_lora_adapter"


def edit_config(directory: Path, **fields: object) -> None:
    path = directory / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def test_a_whole_adapter_is_described(ceo: Path) -> None:
    adapter = read(ceo)
    assert (adapter.rank, adapter.base_model, adapter.target_modules, adapter.problem) == (
        8,
        "mistralai/Mistral-7B-Instruct-v0.1",
        ("q_proj", "v_proj"),
        None,
    )
    assert adapter.size_bytes == (ceo / "adapter_model.safetensors").stat().st_size


def test_the_digest_is_the_same_for_the_same_files_elsewhere(ceo: Path, tmp_path: Path) -> None:
    make(tmp_path / "other", ["CEO"], Shape())
    assert read(tmp_path / "other" / "ceo_lora_adapter").digest == read(ceo).digest


def test_the_digest_changes_with_one_byte_of_the_weights(ceo: Path) -> None:
    before = read(ceo).digest
    weights = ceo / "adapter_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert read(ceo).digest != before


def test_a_cached_digest_follows_a_changed_file(ceo: Path) -> None:
    digests = Digests()
    config = ceo / "adapter_config.json"
    os.utime(config, ns=(1, 1))
    before = read(ceo, digests=digests).digest
    config.write_text(config.read_text() + "\n")
    assert read(ceo, digests=digests).digest == read(ceo).digest != before


@pytest.fixture
def an_hour_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """No file is young any more: nobody can set a file's ctime back."""
    now = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now() + 3_600_000_000_000)


@pytest.mark.usefixtures("an_hour_later")
def test_an_unchanged_old_file_is_hashed_once(ceo: Path) -> None:
    digests = Digests()
    files = adapter_files(ceo, None).values()
    before = digests.of(files)
    for file in files:
        file.path.unlink()
    assert digests.of(files) == before


@pytest.mark.usefixtures("an_hour_later")
def test_other_bytes_under_the_same_inode_size_and_mtime_are_found(ceo: Path) -> None:
    digests = Digests()
    weights = ceo / "adapter_model.safetensors"
    before, status = read(ceo, digests=digests).digest, weights.stat()
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    with weights.open("r+b") as stream:
        stream.write(content)
    os.utime(weights, ns=(status.st_atime_ns, status.st_mtime_ns))
    after = weights.stat()
    assert (after.st_ino, after.st_size, after.st_mtime_ns) == (status.st_ino, status.st_size, status.st_mtime_ns)
    assert read(ceo, digests=digests).digest == read(ceo).digest != before


@pytest.mark.parametrize(
    ("fields", "reason", "named"),
    [
        ({"use_rslora": True}, "UnsupportedFeature", "use_rslora"),
        ({"use_dora": True}, "UnsupportedFeature", "use_dora"),
        ({"rank_pattern": {"q_proj": 4}}, "UnsupportedFeature", "rank_pattern"),
        ({"alpha_pattern": {"q_proj": 4}}, "UnsupportedFeature", "alpha_pattern"),
        ({"modules_to_save": ["lm_head"]}, "UnsupportedFeature", "modules_to_save"),
        ({"lora_bias": True}, "UnsupportedFeature", "lora_bias"),
        ({"layer_replication": [[0, 4]]}, "UnsupportedFeature", "layer_replication"),
        ({"peft_type": "IA3", "r": None}, "UnsupportedFeature", "peft_type"),
        ({"r": "eight"}, "AdapterInvalid", "field r "),
        ({"r": True}, "AdapterInvalid", "field r "),
        ({"r": 16}, "AdapterInvalid", "r=16"),
        ({"target_modules": 7}, "AdapterInvalid", "target_modules"),
        ({"base_model_name_or_path": 7}, "AdapterInvalid", "base_model_name_or_path"),
        ({"base_model_name_or_path": "m" * 513}, "AdapterInvalid", "base_model_name_or_path"),
    ],
)
def test_a_config_that_cannot_be_served_names_the_field(
    ceo: Path, fields: dict[str, Any], reason: str, named: str
) -> None:
    edit_config(ceo, **fields)
    problem = read(ceo).problem
    assert problem is not None
    assert (problem.reason, named in problem.message) == (reason, True)


def header(length: int, body: bytes = b"") -> bytes:
    return length.to_bytes(8, "little") + body


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "ends inside its header"),
        (header(2**63), "ends inside its header"),
        (header(10, b"{}"), "ends inside its header"),
        (header(9, b"not json!"), "header is not JSON"),
        (header(2, b"[]"), "not an object"),
        (header(2, b"{}"), "no lora_A tensor"),
        (header(17, b'{"x": "pickled!"}'), "lacks dtype"),
        (header(57, b'{"x": {"dtype":"F32","shape":[2],"data_offsets":[0,4]}}  1234'), "doesn't fill"),
        (header(57, b'{"x": {"dtype":"F32","shape":[2],"data_offsets":[0,8]}}  1234'), "cut short"),
        (header(57, b'{"x": {"dtype":"F32","shape":[1],"data_offsets":[4,8]}}  12345678'), "overlap or leave holes"),
        (header(57, b'{"x": {"dtype":"F32","shape":[1.5],"data_offsets":[0,6]}}123456'), "has shape"),
    ],
)
def test_a_broken_safetensors_file_is_invalid_and_says_how(ceo: Path, content: bytes, said: str) -> None:
    (ceo / "adapter_model.safetensors").write_bytes(content)
    problem = read(ceo).problem
    assert problem is not None
    assert (problem.reason, said in problem.message) == ("AdapterInvalid", True), problem


def test_a_shape_of_very_many_dimensions_is_not_multiplied_out(ceo: Path) -> None:
    shape = [2**62] * 200_000  # minutes of work, in which nothing else of the process runs
    content = json.dumps({"q_proj.lora_A.weight": {"dtype": "F32", "shape": shape, "data_offsets": [0, 4]}}).encode()
    (ceo / "adapter_model.safetensors").write_bytes(header(len(content), content) + b"1234")
    problem = read(ceo).problem
    assert problem is not None
    assert (problem.reason, "200000 dimensions" in problem.message) == ("AdapterInvalid", True)


@pytest.mark.parametrize("fields", [{"r": "8" * 100_000}, {"peft_type": "x" * 100_000}])
def test_an_adapters_own_words_are_cut_short_in_its_problem(ceo: Path, fields: dict[str, Any]) -> None:
    edit_config(ceo, **fields)
    problem = read(ceo).problem
    assert problem is not None
    assert len(problem.message) < 2100
    assert problem.message.endswith(("the LoRA rank, 1 to 4096", "train a LoRA adapter"))


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff\xfe", b" " * ((1 << 20) + 1)])
def test_a_broken_config_is_invalid(ceo: Path, content: bytes) -> None:
    (ceo / "adapter_config.json").write_bytes(content)
    problem = read(ceo).problem
    assert problem is not None
    assert problem.reason == "AdapterInvalid"


def test_a_missing_directory_is_missing(tmp_path: Path) -> None:
    assert read(tmp_path / "cto").problem == Problem(
        "AdapterMissing",
        f"{tmp_path / 'cto'}: no such directory; put the adapter's files there or correct the path",
    )


@pytest.mark.parametrize("gone", ["adapter_config.json", "adapter_model.safetensors"])
def test_a_missing_file_is_missing(ceo: Path, gone: str) -> None:
    (ceo / gone).unlink()
    problem = read(ceo).problem
    assert problem is not None
    assert problem.reason == "AdapterMissing"


def test_pickled_weights_alone_are_unsupported(ceo: Path) -> None:
    (ceo / "adapter_model.safetensors").rename(ceo / "adapter_model.bin")
    problem = read(ceo).problem
    assert problem is not None
    assert (problem.reason, "adapter_model.bin" in problem.message) == ("UnsupportedFeature", True)


def test_a_lora_a_without_its_lora_b_is_invalid(ceo: Path) -> None:
    weights = ceo / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes().replace(b"q_proj.lora_B", b"q_proj.lora_C"))
    problem = read(ceo).problem
    assert problem is not None
    assert (problem.reason, "has no" in problem.message) == ("AdapterInvalid", True)


@pytest.mark.parametrize("name", ["q_proj.lora_B.bias", "embed_tokens.weight", "k_proj.lora_B.weight"])
def test_a_tensor_that_lorax_would_ignore_is_unsupported(ceo: Path, name: str) -> None:
    prefix = "base_model.model.model.layers.0.self_attn"
    shapes = {f"{prefix}.q_proj.lora_A.weight": [8, 1], f"{prefix}.q_proj.lora_B.weight": [1, 8], name: [1, 8]}
    tensors = {
        tensor: {"dtype": "F32", "shape": shape, "data_offsets": [32 * place, 32 * place + 32]}
        for place, (tensor, shape) in enumerate(shapes.items())
    }
    content = json.dumps(tensors).encode()
    (ceo / "adapter_model.safetensors").write_bytes(header(len(content), content) + bytes(32 * len(shapes)))
    problem = read(ceo).problem
    assert problem is not None
    assert (problem.reason, name in problem.message) == ("UnsupportedFeature", True)


def test_a_link_out_of_the_root_is_refused_and_followed_without_a_root(ceo: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "ceo").mkdir(parents=True)
    for path in ceo.iterdir():
        (root / "ceo" / path.name).symlink_to(path)
    confined = read(root / "ceo", root=root.resolve()).problem
    assert confined is not None
    assert (confined.reason, "outside" in confined.message) == ("AdapterInvalid", True)
    assert read(root / "ceo").problem is None


def test_a_pipe_in_place_of_a_file_is_invalid_and_does_not_block(ceo: Path) -> None:
    (ceo / "adapter_config.json").unlink()
    os.mkfifo(ceo / "adapter_config.json")
    problem = read(ceo).problem
    assert problem is not None
    assert "not a regular file" in problem.message


def test_the_modules_are_those_that_the_weights_are_for(ceo: Path) -> None:
    """The config may hold a pattern."""
    edit_config(ceo, target_modules="all-linear")
    assert read(ceo).target_modules == ("q_proj", "v_proj")
