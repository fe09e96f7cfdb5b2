"""How the parts of a coordinator hold together: by arguments of constructors, and nothing is set from outside later."""

import ast
from collections.abc import Iterator
from pathlib import Path

from boardroom import coordinator

ROOM = Path(coordinator.__file__).parent

SET_FROM_OUTSIDE = {
    ("backends/backend.py", "engine"): "on_hangup: an engine is made before who watches over it; its protocol says so",
    ("backends/gpu_seconds.py", "other"): "the meter's own dataclass",
    ("backends/quarantine.py", "suspect"): "the module's own struct",
    ("http/app.py", "app.router"): "redirect_slashes: Starlette's own switch",
    ("http/app.py", "record"): "what a request's log line says is filled in as the request goes on",
    ("http/endpoint.py", "record"): "the same",
    ("http/server.py", "api"): "should_exit: how uvicorn is told to end",
    ("http/server.py", "probes"): "the same",
    ("http/sse.py", "self._buffer"): "on_overflow ends a time-out that is there only while the body is sent",
    ("status/writer.py", "written"): "the module's own dataclass",
}
"""The objects that a module sets attributes of, and why."""


def targets(node: ast.AST) -> Iterator[ast.expr]:
    """What a statement assigns to."""
    match node:
        case ast.Assign():
            pending = list(node.targets)
        case ast.AugAssign() | ast.AnnAssign() | ast.For() | ast.AsyncFor():
            pending = [node.target]
        case ast.withitem(optional_vars=ast.expr() as target):
            pending = [target]
        case _:
            return
    while pending:
        match pending.pop():
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                pending += parts
            case ast.Starred(value=part):
                pending.append(part)
            case target:
                yield target


def set_from_outside(source: str) -> set[str]:
    """The objects other than self that a module assigns attributes of."""
    found = (target for node in ast.walk(ast.parse(source)) for target in targets(node))
    return {ast.unparse(target.value) for target in found if isinstance(target, ast.Attribute)} - {"self", "cls"}


def test_what_is_set_from_outside_is_found() -> None:
    source = "self.a = b.c = 1\nx.y, self.z = 1, 2\nself.p.q += 1\nfor o.n in r: pass\nwith w as v.u: pass\ni = k.j"
    assert set_from_outside(source) == {"b", "x", "self.p", "o", "v"}


def test_nothing_is_set_from_outside_but_for_a_reason() -> None:
    found = {
        (module.relative_to(ROOM).as_posix(), target)
        for module in ROOM.rglob("*.py")
        for target in set_from_outside(module.read_text(encoding="utf-8"))
    }
    assert found == set(SET_FROM_OUTSIDE)


def calls(source: str, *names: str) -> set[str]:
    """What a module calls under these names, as it is written there."""
    found = (node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    return {ast.unparse(call) for call in found if isinstance(call, ast.Attribute) and call.attr in names}


def test_grants_are_written_by_the_pool_only() -> None:
    writers = {
        module.relative_to(ROOM).as_posix()
        for module in ROOM.rglob("*.py")
        for call in calls(module.read_text(encoding="utf-8"), "grant", "cut")
        if call.endswith(("admission.grant", "admission.cut"))
    }
    assert writers == {"backends/pool.py"}
