"""What `helm --wait` and Flux make of an object: Helm 4's own library, in a small Go program of the tests'."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from boardroom.cluster import places
from boardroom.cluster.build import ensure_built
from boardroom.cluster.programs import Module, Program

_MODULE = Module(name="kstatus", folder=Path(__file__).parent / "gomods" / "kstatus", cold_minutes=1)


def verdicts(objects: Sequence[dict[str, Any]]) -> list[str]:
    """InProgress, Current or Failed for each object; raises BuildError where there is no Go."""
    program = Program("kstatus", _MODULE, ".")
    path = ensure_built(_MODULE, [program], places.cache() / "bin") / program.name
    said = subprocess.run([path], input=json.dumps({"items": objects}), text=True, capture_output=True, check=True)
    found: list[str] = json.loads(said.stdout)
    return found
