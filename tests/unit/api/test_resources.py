from pathlib import Path

import pytest
from pydantic import ValidationError

from boardroom.api.boardagent import BoardAgentSpec
from boardroom.api.manifest import read_manifests
from boardroom.api.resources import Boardroom

EXAMPLE = Path(__file__).parents[3] / "manifests/examples/executive-board.yaml"


def test_the_example_is_one_board_of_five() -> None:
    boards, agents = read_manifests([("", EXAMPLE.read_text(encoding="utf-8"))])
    assert [b.metadata.name for b in boards] == ["executive"]
    assert [a.spec.role for a in agents] == ["CEO", "CFO", "COO", "CMO", "CTO"]
    assert agents[0].spec.adapter_path == "ceo_lora_adapter"


@pytest.mark.parametrize(
    ("adapter", "path"),
    [
        pytest.param(None, "ceo_lora_adapter", id="by role, in lower case"),
        pytest.param({"path": "v2/ceo"}, "v2/ceo", id="named"),
        pytest.param({"none": True}, None, id="the base model speaks"),
    ],
)
def test_a_members_adapter_path(adapter: dict[str, object] | None, path: str | None) -> None:
    spec = {"boardroomRef": {"name": "b"}, "role": "CEO"} | ({"adapter": adapter} if adapter else {})
    assert BoardAgentSpec.model_validate(spec).adapter_path == path


def test_a_live_object_with_fields_of_a_newer_crd_is_still_read() -> None:
    live = {"metadata": {"name": "b", "uid": "u"}, "spec": {"model": {"id": "m", "newField": 1}, "newPart": {}}}
    assert Boardroom.model_validate(live).spec.model.id == "m"


@pytest.mark.parametrize("port", ["0", "65536", "99999"])
@pytest.mark.parametrize("source", [{"huggingFace": {"repo": "a/b"}}, {"s3": {"bucket": "abc", "prefix": "a"}}])
def test_no_adapter_comes_from_a_port_that_cannot_be(source: dict[str, dict[str, str]], port: str) -> None:
    """Its board is built from the members that can be read: one whose port is none would stop the whole of it."""
    ((kind, where),) = source.items()
    adapter = {kind: where | {"endpoint": f"https://hub.example:{port}"}}
    with pytest.raises(ValidationError, match=r"endpoint"):
        BoardAgentSpec.model_validate({"boardroomRef": {"name": "b"}, "role": "CEO", "adapter": adapter})
