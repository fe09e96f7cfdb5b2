"""Whole documents that hold one object: how it is written, and its metadata; the text that its refusal names."""

from typing import Final

from tried.yaml_boards import TAKEN, Rows

_HEAD: Final = "apiVersion: boardroom.dev/v1alpha1\nkind: Boardroom\n"
_SPEC: Final = "spec: {model: {id: m}}\n"
_JSON: Final = '"apiVersion": "boardroom.dev/v1alpha1", "kind": "Boardroom"'
_MEMBER: Final = (
    "apiVersion: boardroom.dev/v1alpha1\nkind: BoardAgent\nmetadata: {{name: {name}}}\n"
    "spec: {{boardroomRef: {{name: b}}, role: CEO}}\n"
)
_BOARD: Final = f"{_HEAD}metadata: {{name: b}}\n{_SPEC}"


def _named(metadata: str) -> str:
    return f"{_HEAD}metadata: {metadata}\n{_SPEC}"


DOCUMENTS: Final[Rows] = {
    "a board": (_BOARD, TAKEN),
    "a comment at the end": (f"{_BOARD}# over", TAKEN),
    "Windows' line ends": (_BOARD.replace("\n", "\r\n"), TAKEN),
    "a mark of the byte order": (f"\ufeff{_BOARD}", TAKEN),
    "an end of a document": (f"{_BOARD}...\n", TAKEN),
    "a version of YAML": (f"%YAML 1.1\n---\n{_BOARD}", TAKEN),
    "a tab behind a colon": (_BOARD.replace("kind: ", "kind:\t"), TAKEN),
    "a tab before a comment": (_BOARD.replace("kind: Boardroom", "kind: Boardroom\t# a"), TAKEN),
    "a tab as indentation": (f"{_HEAD}metadata: {{name: b}}\nspec:\n\tmodel: {{id: m}}\n", "character"),
    "a tab in braces": (_named("{\tname:\tb\t}"), TAKEN),
    "an open brace": (_named("{name: b"), "line"),
    "a control character": (_named("{name: b, annotations: {a: \x07}}"), "control characters"),
    "an anchor and its alias": (_named("{name: &n b, labels: {a: *n}}"), TAKEN),
    "an alias of nothing": (_named("{name: *n}"), "alias"),
    "an alias within itself": (_named("&m {name: b, labels: *m}"), "alias"),
    "a merge": (_named("{<<: {labels: {a: b}}, name: b}"), TAKEN),
    "a merge of two": (_named("{<<: [{labels: {a: b}}, {labels: {c: d}}], name: b}"), TAKEN),
    "a merge of a text": (_named("{<<: a, name: b}"), "<<"),
    "a list as a key": (f"{_BOARD}? [a]\n: b\n", "key"),
    "null as a key": (f"{_BOARD}null: b\n", "key"),
    "a key twice": (f"{_BOARD}spec: {{model: {{id: n}}}}\n", "'spec' is duplicated"),
    "a name twice": (_named("{name: b, name: b}"), "'name' is duplicated"),
    "a name in two spellings of a key": (_named("{name: b, 'name': b}"), "'name' is duplicated"),
    "JSON": (
        f'{{{_JSON}, "metadata": {{"name": "b"}}, "spec": {{"model": {{"id": "m"}}}}}}',
        TAKEN,
    ),
    "JSON with tabs": (
        f'{{\n\t{_JSON},\n\t"metadata": {{"name": "b"}},\n\t"spec": {{"model": {{"id":\t"m"}}}}\n}}',
        TAKEN,
    ),
    "braces without quotes": (
        "{apiVersion: boardroom.dev/v1alpha1, kind: Boardroom, metadata: {name: b}, spec: {model: {id: m}}}",
        TAKEN,
    ),
    "a field that is none": (f"{_BOARD}data: {{}}\n", "data"),
    "a spec of nothing": (f"{_HEAD}metadata: {{name: b}}\nspec: {{}}\n", "spec.model"),
    "an empty spec": (f"{_HEAD}metadata: {{name: b}}\nspec:\n", "spec"),
    "no spec": (f"{_HEAD}metadata: {{name: b}}\n", "spec"),
    "a spec, a list": (f"{_HEAD}metadata: {{name: b}}\nspec: []\n", "spec"),
    "an empty status": (f"{_BOARD}status: {{}}\n", TAKEN),
    "a status as it was": (f"{_BOARD}status: {{observedGeneration: 3, conditions: []}}\n", TAKEN),
    "a status with a field that is none": (f"{_BOARD}status: {{phase: Ready}}\n", "status.phase"),
    "no metadata": (f"{_HEAD}{_SPEC}", "metadata"),
    "metadata, a text": (_named("b"), "metadata"),
    "no name": (_named("{}"), "metadata.name"),
    "a name, null": (_named("{name: null}"), "metadata.name"),
    "a name, empty": (_named("{name: ''}"), "metadata.name"),
    "a name, a number": (_named("{name: 7}"), "metadata.name"),
    "a name, no": (_named("{name: no}"), "metadata.name"),
    "a name of 49": (_named(f"{{name: {'b' * 49}}}"), TAKEN),
    "a name of 50": (_named(f"{{name: {'b' * 50}}}"), "at most 49 characters"),
    "a name with a digit first": (_named("{name: 1st}"), "beginning with a letter"),
    "a name with a capital": (_named("{name: B}"), "metadata.name"),
    "a name with a dot": (_named("{name: b.c}"), "DNS-1035"),
    "a name with a line end": (_named('{name: "b\\n"}'), "metadata.name"),
    "a member's name with dots": (
        _MEMBER.format(name="b.c.1"),
        TAKEN,
    ),
    "a member's name with two dots": (
        _MEMBER.format(name="b..c"),
        "metadata.name",
    ),
    "metadata with a field that is none": (_named("{name: b, label: {a: b}}"), "metadata.label"),
    "metadata in snake case": (_named("{name: b, resource_version: '1'}"), "metadata.resource_version"),
    "labels": (_named("{name: b, labels: {app.kubernetes.io/name: b}}"), TAKEN),
    "labels, null": (_named("{name: b, labels: null}"), TAKEN),
    "labels, a list": (_named("{name: b, labels: [a]}"), "metadata.labels"),
    "a label, true": (_named("{name: b, labels: {a: true}}"), "metadata.labels[a]"),
    "a label, a number": (_named("{name: b, labels: {a: 1}}"), "metadata.labels[a]"),
    "a label, null": (_named("{name: b, labels: {a: null}}"), TAKEN),
    "a label with a blank": (_named("{name: b, labels: {a: 'b c'}}"), "metadata.labels[a]"),
    "a label of 64": (_named(f"{{name: b, labels: {{a: {'b' * 64}}}}}"), "metadata.labels[a]"),
    "a label's key with a blank": (_named("{name: b, labels: {'a b': c}}"), "metadata.labels"),
    "a label's key with two slashes": (_named("{name: b, labels: {a/b/c: d}}"), "metadata.labels"),
    "an annotation, a number": (_named("{name: b, annotations: {a: 1}}"), "metadata.annotations[a]"),
    "an annotation with blanks": (_named("{name: b, annotations: {a: 'b c'}}"), TAKEN),
    "an annotation's key with a capital": (_named("{name: b, annotations: {Boardroom.dev/A: b}}"), TAKEN),
    "a time of creation, null": (_named("{name: b, creationTimestamp: null}"), TAKEN),
    "a time of creation": (_named("{name: b, creationTimestamp: 2026-01-01T10:00:00Z}"), TAKEN),
    "a time of creation that is none": (_named("{name: b, creationTimestamp: yesterday}"), "creationTimestamp"),
    "a generation in quotes": (_named("{name: b, generation: '1'}"), "metadata.generation"),
    "a uid": (_named("{name: b, uid: 1b2c}"), TAKEN),
    "finalizers, a text": (_named("{name: b, finalizers: a/b}"), "metadata.finalizers"),
    "another version of the group": (_BOARD.replace("v1alpha1", "v1"), "apiVersion"),
    "another spelling of the kind": (_BOARD.replace("Boardroom\n", "boardroom\n"), "kind"),
    "no kind": (_BOARD.replace("kind: Boardroom\n", ""), "kind"),
    "no apiVersion": (_BOARD.replace("apiVersion: boardroom.dev/v1alpha1\n", ""), "apiVersion"),
    "a text": ("boardroom", "not an object"),
    "a list": ("- a\n", "not an object"),
}
