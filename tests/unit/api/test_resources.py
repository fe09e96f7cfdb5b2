from pathlib import Path

import pytest
from pydantic import ValidationError

from boardroom.api.boardagent import BoardAgentSpec
from boardroom.api.resources import Boardroom, ManifestError, read_manifest

EXAMPLE = Path(__file__).parents[3] / "manifests/examples/executive-board.yaml"
BOARD = """
apiVersion: boardroom.dev/v1alpha1
kind: Boardroom
metadata: {name: b}
spec: {model: {id: m}}
"""


def test_the_example_is_one_board_of_five() -> None:
    boards, agents = read_manifest(EXAMPLE.read_text(encoding="utf-8"))
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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("a: [", "not YAML: ", id="broken YAML"),
        pytest.param(
            BOARD.replace("id: m", "id: m, name: x"),
            "Boardroom 'b': spec.model.name: Extra inputs are not permitted",
            id="an unknown field",
        ),
        pytest.param(
            BOARD.replace("{id: m}", "{id: 3}"),
            "Boardroom 'b': spec.model.id: Input should be a valid string",
            id="a wrong type",
        ),
        pytest.param(BOARD.replace("{name: b}", "{}"), "Boardroom 'document 1'", id="no name"),
    ],
)
def test_a_bad_file_is_refused_by_document_and_field(text: str, message: str) -> None:
    with pytest.raises(ManifestError) as caught:
        read_manifest(text)
    assert str(caught.value).startswith(message)


def test_other_kinds_in_the_file_are_skipped() -> None:
    boards, agents = read_manifest(BOARD + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n---\n")
    assert ([b.metadata.name for b in boards], agents) == (["b"], [])


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
