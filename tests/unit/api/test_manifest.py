"""Files with boards and members: which documents are read, and how one at fault is told."""

import json
from typing import Any

import pytest
import yaml

from boardroom.api.manifest import ManifestError, read_manifests

BOARD = """
apiVersion: boardroom.dev/v1alpha1
kind: Boardroom
metadata: {name: b}
spec: {model: {id: m}}
"""
MEMBER = """
apiVersion: boardroom.dev/v1alpha1
kind: BoardAgent
metadata: {name: ceo}
spec: {boardroomRef: {name: b}, role: CEO}
"""


def refusal(text: str) -> str:
    with pytest.raises(ManifestError) as refused:
        read_manifests([("", text)])
    return str(refused.value)


def names(text: str) -> tuple[list[str], list[str]]:
    boards, agents = read_manifests([("", text)])
    return [b.metadata.name for b in boards], [a.metadata.name for a in agents]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("a: [", "neither YAML nor JSON: line 2, column 1: ", id="broken YAML"),
        pytest.param(
            BOARD.replace("{id: m}", "{id: 3}"),
            "document 1, Boardroom 'b': spec.model.id: give a text, not 3: write it in quotes, '3'",
            id="a wrong type",
        ),
        pytest.param(
            BOARD.replace("{id: m}", "{id: m}, suspend: 'true'"),
            "document 1, Boardroom 'b': spec.suspend: give true or false, not 'true': write it without quotes",
            id="a wrong type because of quotes",
        ),
        pytest.param(
            BOARD.replace("{id: m}", "{id: m}, lorax: {adapter_cache_size: 3}"),
            "document 1, Boardroom 'b': spec.lorax.adapter_cache_size: there is no such field; do you mean "
            "adapterCacheSize?",
            id="snake case",
        ),
        pytest.param(
            BOARD.replace("{id: m}", "{id: m, foo: 1}"),
            "document 1, Boardroom 'b': spec.model.foo: there is no such field; known fields: id, revision, "
            "source, tokenSecretRef, cache",
            id="a field of nothing alike",
        ),
        pytest.param(
            BOARD.replace("{id: m}", "{id: m}, lorax: {port: 80}"),
            "document 1, Boardroom 'b': spec.lorax.port: give a whole number from 1024 to 65535, not 80",
            id="a bound",
        ),
        pytest.param(
            BOARD.replace("{id: m}", "{id: m, source: S3}"),
            "document 1, Boardroom 'b': spec.model.source: give one of Hub, Local, not 'S3'",
            id="a word of others",
        ),
        pytest.param(
            BOARD.replace("{id: m}", "{id: m}, lorax: {resources: {limits: {cpu: 0.5}}}"),
            "document 1, Boardroom 'b': spec.lorax.resources.limits[cpu]: give a whole number or a text, not 0.5: "
            "write it in quotes, '0.5'",
            id="a float",
        ),
        pytest.param(
            MEMBER.replace("role: CEO", "role: CEO, adapter: {path: ../x}"),
            "document 1, BoardAgent 'ceo': spec.adapter.path: not '../x': give a directory relative to the board's "
            "spec.adapters.mountPath, for example ceo/2: ",
            id="a pattern that a rule says in words",
        ),
        pytest.param(
            MEMBER.replace("role: CEO", "role: CEO, adapter: {path: x, none: true}"),
            "document 1, BoardAgent 'ceo': spec.adapter: give at most one of path, huggingFace, s3 and none: true",
            id="a rule",
        ),
        pytest.param(
            f"{BOARD}---{MEMBER.replace('role: CEO', 'domains: [a, a]')}",
            "document 2, BoardAgent 'ceo': spec.role: missing, and it has no default; spec.domains[1]: 'a' is "
            "duplicated: leave one out",
            id="two fields of the second document",
        ),
        pytest.param(
            BOARD.replace("{name: b}", "{}"), "document 1, Boardroom without a name: metadata.name", id="no name"
        ),
        pytest.param(
            BOARD.replace("v1alpha1", "v1"),
            "document 1: apiVersion: boardroom.dev/v1 is unknown: give boardroom.dev/v1alpha1",
            id="another version",
        ),
        pytest.param(
            BOARD.replace("Boardroom", "Board"),
            "document 1: kind: Board is unknown in boardroom.dev: give Boardroom or BoardAgent",
            id="another kind of ours",
        ),
    ],
)
def test_a_bad_file_is_refused_by_document_field_and_remedy(text: str, message: str) -> None:
    assert refusal(text).startswith(message)


def test_other_kinds_and_empty_documents_are_skipped() -> None:
    text = f"---\n---\n# none\n---{BOARD}---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: x}}\n---\n"
    assert names(text) == (["b"], [])


def listed(*texts: str, **head: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "List", "items": [yaml.safe_load(text) for text in texts]} | head


@pytest.mark.parametrize(
    "head",
    [{}, {"kind": "BoardroomList", "apiVersion": "boardroom.dev/v1alpha1"}, {"metadata": {"resourceVersion": ""}}],
)
def test_a_list_is_read(head: dict[str, Any]) -> None:
    assert names(yaml.safe_dump(listed(BOARD, MEMBER, **head))) == (["b"], ["ceo"])
    assert names(json.dumps(listed(BOARD, MEMBER, **head))) == (["b"], ["ceo"])


def test_an_item_is_of_its_lists_kind() -> None:
    item = {name: value for name, value in yaml.safe_load(BOARD).items() if name not in ("apiVersion", "kind")}
    head = {"apiVersion": "boardroom.dev/v1alpha1", "kind": "BoardroomList"}
    assert names(json.dumps(head | {"items": [item]})) == (["b"], [])
    assert refusal(json.dumps({"apiVersion": "v1", "kind": "List", "items": [item]})).startswith(
        "document 1, items[0]: kind: missing"
    )


def test_an_item_at_fault_is_named() -> None:
    text = yaml.safe_dump(listed(BOARD, MEMBER.replace("CEO", "1st")))
    assert refusal(text).startswith("document 1, items[1], BoardAgent 'ceo': spec.role: '1st' does not match ")


def test_json_objects_follow_each_other() -> None:
    assert names("\n".join(json.dumps(yaml.safe_load(text)) for text in (BOARD, MEMBER))) == (["b"], ["ceo"])


def test_an_emoji_of_json_is_read() -> None:
    """As a pair of surrogates, which YAML has not."""
    member = yaml.safe_load(MEMBER)
    member["spec"]["systemPrompt"] = "😀"
    _, (agent,) = read_manifests([("", json.dumps(member))])
    assert agent.spec.system_prompt == "😀"


def test_what_an_api_server_adds_is_taken() -> None:
    board = yaml.safe_load(BOARD)
    board["metadata"] |= {
        "uid": "u", "resourceVersion": "7", "generation": 2, "creationTimestamp": "2026-01-31T12:00:00Z",
        "managedFields": [{"manager": "kubectl", "operation": "Apply", "fieldsV1": {"f:spec": {"f:model": {}}}}],
        "ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": "v"}],
    }  # fmt: skip
    board["status"] = {"observedGeneration": 2, "agents": "1/1"}
    ((read,), _) = read_manifests([("", yaml.safe_dump(board))])
    assert (read.metadata.uid, read.metadata.generation, read.status.observed_generation) == ("u", 2, -1)


def test_a_number_is_a_quantity() -> None:
    text = BOARD.replace("{id: m}", "{id: m}, lorax: {shmSize: 1073741824, resources: {limits: {cpu: 4}}}")
    ((board,), _) = read_manifests([("", text)])
    assert board.spec.lorax.shm_size == "1073741824"
    assert board.spec.lorax.resources is not None
    assert board.spec.lorax.resources.limits == {"cpu": "4"}


@pytest.mark.parametrize(("opened", "closed"), [('{"a": ', "}"), ("[", "]")])
def test_what_is_nested_deeply_in_an_unknown_field_is_not_looked_into(opened: str, closed: str) -> None:
    board = json.dumps(yaml.safe_load(BOARD))[:-1] + ', "data": ' + opened * 900 + "1" + closed * 900 + "}"
    assert refusal(board).startswith("document 1, Boardroom 'b': data: there is no such field")
