"""What `helm --wait` and Flux make of an object: Helm 4's own library, in a small Go program of the tests'."""

import json
import subprocess
from collections.abc import Sequence
from typing import Any

from tools.programs import tool


def verdicts(objects: Sequence[dict[str, Any]]) -> list[str]:
    """InProgress, Current or Failed for each object; raises BuildError where there is no Go."""
    said = subprocess.run(
        [tool("kstatus")], input=json.dumps({"items": objects}), text=True, capture_output=True, check=True
    )
    found: list[str] = json.loads(said.stdout)
    return found
