"""`boardroom adapters push` up to the cluster's door, and its transfers into a real loader over a wire that breaks."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from boardroom.adapters.synthetic import Shape, make
from boardroom.cli.adapters import adapters
from boardroom.cli.kubectl import Kubectl

MODEL = "mistralai/Mistral-7B-Instruct-v0.1"
CLAIM = {"volume": {"persistentVolumeClaim": {"claimName": "board-adapters"}}}


@dataclass(frozen=True, kw_only=True)
class Answering(Kubectl):
    """A kubectl that knows one Boardroom and can do nothing else."""

    spec: dict[str, Any] = field(default_factory=dict)

    def run(self, *args: str, stdin: str | None = None, seconds: float = 0) -> str:
        assert args[:2] == ("get", "boardroom.boardroom.dev"), args
        spec = {"model": {"id": MODEL}, "adapters": CLAIM} | self.spec
        return json.dumps({"metadata": {"name": "executive", "uid": "u"}, "spec": spec})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make(tmp_path / "adapters", ["ceo", "cfo"], Shape())
    return tmp_path / "adapters"


def push(monkeypatch: pytest.MonkeyPatch, *words: str | Path, **spec: Any) -> tuple[int, str]:
    monkeypatch.setattr("boardroom.cli.target.Kubectl", lambda **_: Answering(spec=spec))
    result = CliRunner().invoke(adapters, ["push", "executive", *map(str, words)])
    return result.exit_code, result.output


def test_a_dry_run_says_what_would_be_sent(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    code, output = push(monkeypatch, folder, "--dry-run")
    rows = [line.split() for line in output.splitlines()[1:]]
    assert (code, [(row[0], " ".join(row[3:])) for row in rows]) == (
        0,
        [("ceo_lora_adapter", "would be sent"), ("cfo_lora_adapter", "would be sent")],
    )


def test_the_table_ends_its_last_line(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    assert push(monkeypatch, folder, "--dry-run")[1].endswith("would be sent\n")


@pytest.mark.parametrize(("words", "name"), [([], "ceo_lora_adapter"), (["--name", "ceo/2"], "ceo/2")])
def test_one_adapter_lies_under_its_folders_name_or_the_one_given(
    monkeypatch: pytest.MonkeyPatch, folder: Path, words: list[str], name: str
) -> None:
    code, output = push(monkeypatch, folder / "ceo_lora_adapter", "--dry-run", *words)
    assert (code, [line.split()[0] for line in output.splitlines()[1:]]) == (0, [name])


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"model": {"id": "google/gemma-2b"}}, "BaseModelMismatch"),
        ({"adapters": CLAIM | {"maxRank": 4}}, "RankTooHigh"),
        ({"adapters": CLAIM | {"maxSize": "1Ki"}}, "TooLarge"),
    ],
)
def test_what_the_board_would_refuse_is_not_sent(
    monkeypatch: pytest.MonkeyPatch, folder: Path, spec: dict[str, Any], reason: str
) -> None:
    code, output = push(monkeypatch, folder, **spec)
    assert (code, output.count(reason)) == (1, 2)


def test_one_that_is_broken_keeps_all_back(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    (folder / "ceo_lora_adapter" / "adapter_model.safetensors").write_bytes(b"torn")
    code, output = push(monkeypatch, folder)
    assert code == 1
    assert "AdapterInvalid" in output
    assert "fine, but not sent" in output


def test_a_file_name_that_can_t_travel_is_said_before_anything_does(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    weights = folder / "ceo_lora_adapter" / "adapter_model.safetensors"
    weights.rename(weights.with_name("adapter model.safetensors"))
    code, output = push(monkeypatch, folder)
    assert (code, "can't be sent" in output) == (1, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["{folder}", "--name", "x"], "push them one by one"),
        (["{folder}/ceo_lora_adapter", "--name", "../x"], "can be no BoardAgent's spec.adapter.path"),
        (["{folder}/empty"], "holds neither adapter_config.json nor folders of adapters"),
    ],
)
def test_what_can_t_be_meant_is_refused_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, folder: Path, words: list[str], said: str
) -> None:
    (folder / "empty").mkdir()
    code, output = push(monkeypatch, *(word.format(folder=folder) for word in words))
    assert (code, said in " ".join(output.split())) == (2, True), output


def test_a_board_without_a_volume_has_nothing_to_fill(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    code, output = push(monkeypatch, folder, adapters={})
    assert (code, "spec.adapters.volume names no volume" in output) == (1, True)
