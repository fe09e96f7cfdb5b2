"""Boards and members from files, validated as the API server validates them."""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, Final

from pydantic import ValidationError

from boardroom.api.generate.crds import crds
from boardroom.api.kubectl_yaml import YamlError, documents
from boardroom.api.meta import API_VERSION, BOARDAGENT, BOARDROOM, GROUP
from boardroom.api.model import problems
from boardroom.api.object_meta import OBJECT_META
from boardroom.api.resources import BoardAgent, Boardroom
from boardroom.api.validation import FieldError, rule_errors, schema_errors, unknown_fields, with_defaults

_KINDS: Final[dict[str, type[Boardroom] | type[BoardAgent]]] = {BOARDROOM: Boardroom, BOARDAGENT: BoardAgent}


class ManifestError(ValueError):
    """A file is not a valid board. The message names the document, the field and the remedy."""


def read_manifests(files: Iterable[tuple[str, str]]) -> tuple[list[Boardroom], list[BoardAgent]]:
    """The boards and agents of files, each a name and its YAML or JSON. Other kinds are skipped.

    Raises ManifestError, also for an object that occurs twice.
    """
    boards: list[Boardroom] = []
    agents: list[BoardAgent] = []
    seen: dict[tuple[str, str, str], str] = {}
    for name, text in files:
        for where, document in _objects(name, text):
            resource = _read(where, document)
            if resource is None:
                continue
            key = (type(resource).__name__, resource.metadata.namespace, resource.metadata.name)
            if key in seen:
                raise ManifestError(f"{where}: {key[0]} {key[2]!r} is in {seen[key]} already: leave one out")
            seen[key] = where
            if isinstance(resource, Boardroom):
                boards.append(resource)
            else:
                agents.append(resource)
    return boards, agents


def validate(document: dict[str, Any]) -> tuple[dict[str, Any], list[FieldError]]:
    """A Boardroom or BoardAgent as an API server would keep it, and all for which it would refuse it."""
    schema = _schemas()[document["kind"]]
    errors = list(unknown_fields(schema, document))
    kept = with_defaults(schema, {name: value for name, value in document.items() if name != "status"})
    errors += schema_errors(schema, kept)
    return kept, errors or list(rule_errors(schema, kept))


@cache
def _schemas() -> dict[str, dict[str, Any]]:
    """The schema of each kind, with that of metadata, which the API server adds itself."""
    schemas = {}
    for crd in crds().values():
        schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        properties = schema["properties"] | {"metadata": OBJECT_META}
        required = [*schema["required"], "metadata"]
        schemas[crd["spec"]["names"]["kind"]] = schema | {"properties": properties, "required": required}
    return schemas


def _objects(name: str, text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each object of a file, lists unpacked, with its place: `board.yaml: document 2, items[3]`."""
    head = f"{name}: " if name else ""
    try:
        parsed = documents(text)
    except YamlError as error:
        raise ManifestError(f"{head}neither YAML nor JSON: {error}") from error
    for number, document in enumerate(parsed, start=1):
        if document is not None:
            yield from _listed(f"{head}document {number}", document)


def _listed(where: str, document: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    if not isinstance(document, dict):
        raise ManifestError(f"{where}: not an object: give apiVersion, kind, metadata and spec")
    for field in ("apiVersion", "kind"):
        if not isinstance(document.get(field), str) or not document[field]:
            raise ManifestError(f"{where}: {field}: missing; a Boardroom begins with apiVersion: {API_VERSION}")
    items = document.get("items")
    if not document["kind"].endswith("List") or not isinstance(items, list):
        yield where, document
        return
    # Items of a BoardroomList may omit apiVersion and kind.
    head = {"apiVersion": document["apiVersion"], "kind": document["kind"].removesuffix("List") or None}
    for number, item in enumerate(items):
        yield from _listed(f"{where}, items[{number}]", head | item if isinstance(item, dict) else item)


def _read(where: str, document: dict[str, Any]) -> Boardroom | BoardAgent | None:
    """Return the object of a YAML document; None if it belongs to another API group. Raises ManifestError."""
    version, kind = document["apiVersion"], document["kind"]
    if version.partition("/")[0] != GROUP:
        return None
    if version != API_VERSION:
        raise ManifestError(f"{where}: apiVersion: {version} is unknown: give {API_VERSION}")
    if kind not in _KINDS:
        raise ManifestError(f"{where}: kind: {kind} is unknown in {GROUP}: give {BOARDROOM} or {BOARDAGENT}")
    named = f"{where}, {kind} {_name(document)}"
    kept, errors = validate(document)
    if errors:
        raise ManifestError(f"{named}: {'; '.join(map(str, errors))}")
    try:
        return _KINDS[kind].model_validate(kept)
    except ValidationError as error:
        raise ManifestError(f"{named}: {problems(error)}") from error


def _name(document: dict[str, Any]) -> str:
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return repr(name) if isinstance(name, str) else "without a name"
