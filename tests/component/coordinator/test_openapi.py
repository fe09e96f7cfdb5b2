"""/openapi.json promises what the coordinator does: every route is in it, and Schemathesis finds no breach."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from boardroom.coordinator.auth.keys import ApiKeys
from boardroom.coordinator.http import openapi
from boardroom.coordinator.http.app import api_routes
from boardroom.coordinator.main import Options, standalone
from component.coordinator.standing_board import Board, Standing, agent, simulated_lorax, standing

SCHEMATHESIS = Path(__file__).parents[3] / ".venv-schemathesis" / "bin" / "st"
KEY = "a-key-0123456789"
EXAMPLES, SEED = 10, 11
CONFIG = """
[checks]
# a 5xx is looked at in the test, with the question that led to it; JSON Schema can't say every rule of a question
not_a_server_error.enabled = false
positive_data_acceptance.enabled = false
# a question that is too long is 413
negative_data_rejection.expected-statuses = [400, 404, 413, 415, 422]
"""


def test_every_route_is_described(board: Board) -> None:
    routes = api_routes(standalone(Options(file=board.file), board.file))
    served = {
        (method.lower(), re.sub(r":path", "", route.path))
        for route in routes
        for method in (route.methods or set()) - {"HEAD"}
    }
    described = json.loads(openapi.document(guarded=False))["paths"]
    assert served - {("get", "/openapi.json")} == {
        (method, path) for path, item in described.items() for method in item
    }


@pytest.mark.parametrize("guarded", [True, False])
async def test_it_is_served_to_anybody_and_says_whether_callers_must_say_who_they_are(
    board: Board, tmp_path: Path, guarded: bool
) -> None:
    async with standing(board, None, keys(tmp_path) if guarded else None) as stand:
        response = await stand.client.get("/openapi.json")
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    assert response.json()["security"] == ([{"bearer": []}] if guarded else [])


def keys(tmp_path: Path) -> ApiKeys:
    file = tmp_path / "keys"
    file.write_text(KEY)
    return ApiKeys(file)


async def schemathesis(stand: Standing, har: Path) -> tuple[int, str]:
    """The exit code and what it prints; all exchanges are in `har`."""
    config = har.with_suffix(".toml")
    config.write_text(CONFIG)
    command = [
        str(SCHEMATHESIS),
        "--config-file",
        str(config),
        "run",
        f"{stand.client.base_url}/openapi.json".replace("//openapi", "/openapi"),
    ]
    command += ["--header", f"Authorization: Bearer {KEY}", "--max-examples", str(EXAMPLES), "--seed", str(SEED)]
    command += ["--phases", "examples,coverage,fuzzing", "--continue-on-failure", "--generation-database", "none"]
    command += ["--report-har-path", str(har), "--no-color", "--workers", "2"]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, cwd=har.parent
    )
    printed, _ = await process.communicate()
    return process.returncode or 0, printed.decode()


async def test_schemathesis_finds_no_breach_and_no_5xx_but_the_deadline_that_it_chose(
    board: Board, tmp_path: Path
) -> None:
    if not SCHEMATHESIS.exists():
        pytest.skip("no .venv-schemathesis here; `make setup` makes it")
    limits = {"limits": {"maxNewTokens": 4, "temperature": "1"}}
    board.write(*(agent(role, generation={"maxNewTokens": 4} | limits) for role in ("CEO", "CFO")))
    async with (
        simulated_lorax(time_scale=0.0001) as (url, _),
        standing(board, url, keys(tmp_path)) as stand,
    ):
        await stand.wait_ready("CEO", "CFO")
        code, printed = await schemathesis(stand, tmp_path / "all.har")
    assert code == 0, printed
    entries = json.loads((tmp_path / "all.har").read_text())["log"]["entries"]
    assert {200, 404, 422} <= {entry["response"]["status"] for entry in entries}
    assert [found for entry in entries if (found := breach(entry))] == []


def breach(entry: dict[str, Any]) -> Any:
    """A 5xx, unless the question's own timeout was over."""
    if entry["response"]["status"] < 500:
        return None
    text = entry["response"]["content"]["text"]
    error = json.loads(text)["error"]
    asked = json.loads(entry["request"].get("postData", {}).get("text", "{}"))
    if error["code"] in {"not_enough_answers", "member_failed"} and asked.get("timeout", 120) < 1:
        return None
    return asked, text
