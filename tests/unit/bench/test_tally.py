"""Which weights wrote an answer, from its first word to its last."""

import json
from pathlib import Path

import pytest
from bench.reference import Reference
from bench.tally import Listening, Tally
from bench.virtual_board import BASE, Volume, settings

from boardroom.api.ask import AnswerStatus, CoordinationMode
from boardroom.coordinator.response import AdapterIdentity, MemberAnswer, Usage
from boardroom.coordinator.response import AskResponse as Response


def said(tally: Tally, path: str, question: str = "Why?") -> str:
    """What the adapter there says to a question that was asked."""
    parameters = {"adapter_id": path, "max_new_tokens": 60}
    body = json.dumps({"inputs": question, "parameters": parameters}).encode()
    text = tally.reference.hear("/generate", body)
    assert text is not None
    return text


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


@pytest.fixture
def tally(volume: Volume) -> Tally:
    return Tally(volume, Reference(settings(stale_ready_probability=0), volume.digest))


def answer(volume: Volume, path: str, text: str, digest: str | None = "its own") -> MemberAnswer:
    identity = AdapterIdentity(path=path, digest=volume.digest(path) if digest == "its own" else digest)
    return MemberAnswer(agent="r0", role="R0", status=AnswerStatus.ANSWERED, text=text, adapter=identity)


@pytest.mark.parametrize(
    ("signer", "counted"),
    [("r0-v1", "right"), ("r0-v2", "other_version"), ("r1-v1", "other_member"), (BASE, "base_model")],
)
def test_an_answer_is_counted_by_its_weights(volume: Volume, tally: Tally, signer: str, counted: str) -> None:
    text = said(tally, "" if signer == BASE else str(volume.root / signer))
    tally.response(response(answer(volume, str(volume.root / "r0-v1"), text)), {"r0"})
    assert (getattr(tally, counted), tally.texts, tally.unnamed_absences) == (1, 1, 0)


def test_an_answer_that_goes_on_as_another_is_mixed_wherever_it_changes(volume: Volume, tally: Tally) -> None:
    path = str(volume.root / "r0-v1")
    own, base, other = said(tally, path), said(tally, ""), said(tally, path, "Why not?")
    mark = own.index("@")
    texts = [own[:cut] + base[cut:] for cut in range(mark, len(own) - 1)] + [own[:-1], own + "x"]
    wrong = [text for text in texts if text not in {own, base, other}]
    tally.response(response(*(answer(volume, path, text) for text in wrong)), {"r0"})
    tally.response(response(answer(volume, path, own), answer(volume, path, other)), {"r0"})
    assert (tally.mixed, tally.right, tally.texts) == (len(wrong), 2, len(wrong) + 2)
    assert len(wrong) > 20


def test_a_vote_is_judged_whole_and_by_the_mark_in_its_rationale(volume: Volume, tally: Tally) -> None:
    path = str(volume.root / "r0-v1")
    own = said(tally, path)
    tally.text(f'{{"rationale":"{own}"', "R0", path, begin='"rationale":"')
    tally.text(own, "R0", path, begin="")
    assert (tally.mixed, tally.right) == (1, 1)


def test_a_text_without_a_known_mark_and_weights_that_were_not_spoken_are_told(volume: Volume, tally: Tally) -> None:
    path = str(volume.root / "r0-v1")
    text = said(tally, path)
    answers = [answer(volume, path, "hello"), answer(volume, path, text, None), answer(volume, path, text, "sha256:x")]
    tally.response(response(*answers), {"r0", "r1"})
    found = (tally.unreadable, tally.weights_not_named, tally.other_version, tally.right, tally.unnamed_absences)
    assert found == (1, 1, 1, 1, 1)


def test_pieces_that_are_not_the_answer_are_torn(volume: Volume, tally: Tally) -> None:
    path = str(volume.root / "r0-v1")
    listening = Listening(tally)
    for pieces in (("void",), ("whole",), ("half",)):
        listening.started("r0", "R0")
        if pieces == ("whole",):
            listening.delta("r0", "void")
            listening.restarted("r0", "a batch broke")
        listening.delta("r0", *pieces)
        listening.done(answer(volume, path, "whole"))
    assert tally.torn_streams == 2
