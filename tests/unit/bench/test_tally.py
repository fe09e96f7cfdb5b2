"""Whose voice an answer has, told from its mark."""

from pathlib import Path

import pytest
from bench.tally import Listening, Tally
from bench.virtual_board import BASE, MODEL, SALT, Volume

from boardroom.api.ask import AdapterIdentity, AnswerStatus, CoordinationMode, MemberAnswer, Usage
from boardroom.api.ask import AskResponse as Response
from boardroom.simulator.identity import voice


def said(path: str, digest: str | None) -> str:
    return f"[simulated voice={voice(SALT, MODEL, path, digest or '')} on {MODEL}]"


def response(*answers: MemberAnswer) -> Response:
    return Response(
        request_id="r", conv_id=None, coordination_mode=CoordinationMode.PARALLEL, used_lorax=True, execution_time=0.0,
        reply="", agents_involved=[], answers=list(answers), batch=None, usage=Usage(), warnings=[],
    )  # fmt: skip


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    volume = Volume(tmp_path)
    for name in ("r0-v1", "r0-v2", "r1-v1"):
        volume.make(name)
    return volume


def answer(volume: Volume, path: str, text: str, digest: str | None = "its own") -> MemberAnswer:
    identity = AdapterIdentity(path=path, digest=volume.digest(path) if digest == "its own" else digest)
    return MemberAnswer(agent="r0", role="R0", status=AnswerStatus.ANSWERED, text=text, adapter=identity)


@pytest.mark.parametrize(
    ("speaker", "counted"),
    [("r0-v1", "right"), ("r0-v2", "other_version"), ("r1-v1", "other_member"), (BASE, "base_model")],
)
def test_a_voice_is_counted_as_what_it_is(volume: Volume, speaker: str, counted: str) -> None:
    tally, path = Tally(volume), str(volume.root / "r0-v1")
    spoken = "" if speaker == BASE else str(volume.root / speaker)
    tally.response(response(answer(volume, path, said(spoken, volume.digest(spoken)))), {"r0"})
    assert (getattr(tally, counted), tally.texts, tally.unnamed_absences) == (1, 1, 0)


def test_a_text_without_a_known_mark_and_weights_that_were_not_spoken_are_told(volume: Volume) -> None:
    tally, path = Tally(volume), str(volume.root / "r0-v1")
    text = said(path, volume.digest(path))
    answers = [answer(volume, path, "hello"), answer(volume, path, text, None), answer(volume, path, text, "sha256:x")]
    tally.response(response(*answers), {"r0", "r1"})
    found = (tally.unreadable, tally.weights_not_named, tally.other_version, tally.right, tally.unnamed_absences)
    assert found == (1, 1, 1, 1, 1)


def test_pieces_that_are_not_the_answer_are_torn(volume: Volume) -> None:
    tally, path = Tally(volume), str(volume.root / "r0-v1")
    listening = Listening(tally)
    for pieces in (("void",), ("whole",), ("half",)):
        listening.started("r0", "R0")
        if pieces == ("whole",):
            listening.delta("r0", "void")
            listening.restarted("r0", "a batch broke")
        listening.delta("r0", *pieces)
        listening.done(answer(volume, path, "whole"))
    assert tally.torn_streams == 2
