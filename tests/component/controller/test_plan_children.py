"""A board's objects depend on its spec alone: the same bytes in every process, whatever the order of Python's sets."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[3] / "manifests" / "examples"
BUILD = """
import json, sys
from pathlib import Path
from boardroom.api.manifest import read_manifests
from boardroom.api.settings import Defaults
from boardroom.controller.plan.blueprint import Blueprint, Image
from boardroom.controller.plan.children import children

boards, agents = read_manifests([("", Path(sys.argv[1]).read_text(encoding="utf-8"))])
for board in boards:
    own = [agent for agent in agents if agent.spec.boardroom_ref.name == board.metadata.name]
    blueprint = Blueprint(
        board=board,
        defaults=Defaults(),
        image=Image(name="boardroom-operator:1"),
        members=tuple(agent.metadata.name for agent in own),
        sources=tuple(agent.spec.adapter.source for agent in own if agent.spec.adapter.source),
    )
    print(json.dumps([child.manifest for child in children(blueprint, lambda _kind, _name: None)]))
"""


def built(example: Path, seed: int) -> str:
    return subprocess.run(
        [sys.executable, "-c", BUILD, example],
        env=os.environ | {"PYTHONHASHSEED": str(seed)},
        text=True,
        capture_output=True,
        check=True,
    ).stdout


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_an_example_is_built_alike_in_every_process(example: Path) -> None:
    first, second = built(example, 1), built(example, 2)
    assert '"kind": "Deployment"' in first
    assert first == second
