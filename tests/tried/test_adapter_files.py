"""What lies in place of an adapter's file after a copy that went wrong, and headers that are not quite safetensors."""

import gzip
import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from boardroom.adapters import read
from boardroom.adapters.synthetic import Shape, make_one

WEIGHTS: Final = "adapter_model.safetensors"
CONFIG: Final = "adapter_config.json"
POINTER: Final = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"4d7a" * 16 + b"\nsize 27280152\n"
PAGE: Final = b"\n<!DOCTYPE html><html><head><title>acme/ceo-lora at main</title></head></html>" + b" " * 4000
REFUSAL: Final = b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code></Error>'
PULL: Final = "run `git lfs pull`"

IN_PLACE_OF: Final[Mapping[str, tuple[str, bytes, str]]] = {
    "a git-lfs pointer as weights": (WEIGHTS, POINTER, PULL),
    "a git-lfs pointer as config": (CONFIG, POINTER, PULL),
    "a web page as weights": (WEIGHTS, PAGE, "a web page"),
    "a web page as config": (CONFIG, PAGE, "a web page"),
    "a store's refusal as weights": (WEIGHTS, REFUSAL, "an XML document"),
    "a store's refusal as config": (CONFIG, REFUSAL, "an XML document"),
    "gzip as weights": (WEIGHTS, gzip.compress(b"weights" * 100), "unpack it"),
    "gzip as config": (CONFIG, gzip.compress(b"{}"), "unpack it"),
    "what torch.save wrote": (WEIGHTS, b"PK\x03\x04" + bytes(100), "safe_serialization=True"),
    "a pickle": (WEIGHTS, pickle.dumps({"a": 1}, protocol=2), "safe_serialization=True"),
    "nothing": (WEIGHTS, b"", "copy it again"),
    "a config with comments": (CONFIG, b'{"r": 8} // rank', "not JSON"),
    "a file that macOS left": ("._adapter_model.safetensors", b"\x00\x05\x16\x07" + bytes(200), "remove it"),
}


@pytest.fixture
def ceo(tmp_path: Path) -> Path:
    make_one(tmp_path / "ceo", "CEO", Shape())
    return tmp_path / "ceo"


@pytest.mark.parametrize(("name", "content", "said"), IN_PLACE_OF.values(), ids=IN_PLACE_OF)
def test_what_is_no_file_of_an_adapter_is_called_by_its_name(ceo: Path, name: str, content: bytes, said: str) -> None:
    (ceo / name).write_bytes(content)
    problem = read(ceo).problem
    assert problem is not None
    assert (problem.reason, name in problem.message, said in problem.message) == ("AdapterInvalid", True, True), problem


def test_the_same_weights_in_two_files_are_ambiguous(ceo: Path) -> None:
    (ceo / "adapter_model (1).safetensors").write_bytes((ceo / WEIGHTS).read_bytes())
    problem = read(ceo).problem
    assert problem is not None
    assert (problem.reason, "remove the file" in problem.message) == ("AdapterInvalid", True)


FIRST: Final = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
HEADERS: Final[Mapping[str, tuple[Mapping[str, Any], str]]] = {
    "metadata with a number": ({"__metadata__": {"format": 5}}, "__metadata__"),
    "metadata as a list": ({"__metadata__": []}, "__metadata__"),
    "metadata with an object": ({"__metadata__": {"format": {"a": "b"}}}, "__metadata__"),
    "metadata with a total_size, which LoRAX can't add up": ({"__metadata__": {"total_size": "5"}}, "total_size"),
    "a dtype in lower case": ({FIRST: {"dtype": "f32"}}, "the dtype 'f32'"),
    "a dtype that is none": ({FIRST: {"dtype": "F33"}}, "the dtype 'F33'"),
    "a dtype that is no text": ({FIRST: {"dtype": ["F32"]}}, "the dtype ['F32']"),
    "a shape with a truth value": ({FIRST: {"shape": [8, 64, True]}}, "has shape [8, 64, True]"),
    "a shape with a fraction": ({FIRST: {"shape": [8.0, 64]}}, "has shape [8.0, 64]"),
    "integers in place of floats": ({FIRST: {"dtype": "I32"}}, "holds I32"),
}


@pytest.mark.parametrize(("change", "said"), HEADERS.values(), ids=HEADERS)
def test_a_header_that_lorax_can_not_load_is_refused(ceo: Path, change: Mapping[str, Any], said: str) -> None:
    content = (ceo / WEIGHTS).read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    for name, value in change.items():
        header[name] = header[name] | value if isinstance(value, dict) and "format" not in header[name] else value
    _write(ceo, json.dumps(header), content[8 + length :])
    problem = read(ceo).problem
    assert problem is not None
    assert (problem.reason in ("AdapterInvalid", "UnsupportedFeature"), said in problem.message) == (True, True), (
        problem
    )


@pytest.mark.parametrize("twice", ['"__metadata__": {"format": "pt"}', f'"{FIRST}": {{}}'])
def test_a_name_that_stands_twice_in_a_header_is_refused(ceo: Path, twice: str) -> None:
    content = (ceo / WEIGHTS).read_bytes()
    length = int.from_bytes(content[:8], "little")
    _write(ceo, content[8 : 8 + length].decode().rstrip().removesuffix("}") + f", {twice}}}", content[8 + length :])
    problem = read(ceo).problem
    assert problem is not None
    assert (problem.reason, "is there twice" in problem.message) == ("AdapterInvalid", True), problem


def _write(adapter: Path, header: str, data: bytes) -> None:
    text = header.encode()
    (adapter / WEIGHTS).write_bytes(len(text).to_bytes(8, "little") + text + data)
