"""Clients that offer HTTP/2 with their first request on a plain connection, as they are by themselves."""

import asyncio
import shutil
from pathlib import Path

import orjson
import pytest

from component.coordinator.standing_board import Board, agent, served, standing
from component.engine.scripted_lorax import Call, ScriptedLorax

JAVA = """
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;

public class Ask {
    public static void main(String[] arguments) throws Exception {
        var request = HttpRequest.newBuilder(URI.create(arguments[0]))
            .header("content-type", "application/json")
            .POST(HttpRequest.BodyPublishers.ofString(arguments[1]))
            .build();
        var client = HttpClient.newHttpClient();
        client.send(request, HttpResponse.BodyHandlers.ofString());
        System.out.print(client.send(request, HttpResponse.BodyHandlers.ofString()).body());
    }
}
"""


async def say_yes(call: Call) -> None:
    await call.say("yes")


async def printed(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, error = await process.communicate()
    assert process.returncode == 0, error.decode()
    return out.decode()


async def asked(board: Board, *command: str) -> str:
    """What the CEO answered to the client that this command starts; URL and question come after it."""
    board.write(agent("CEO"))
    async with served(ScriptedLorax(say_yes)) as url, standing(board, url) as stand:
        target = str(stand.client.base_url.join("/v1/ask"))
        answer = orjson.loads(await printed(*command, target, '{"user_input": "And now?"}'))
    text: str = answer["answers"][0]["text"]
    return text


async def test_curl_that_offers_http2_is_answered(board: Board, tmp_path: Path) -> None:
    curl = shutil.which("curl")
    if curl is None or "HTTP2" not in await printed(curl, "--version"):
        pytest.skip("no curl with HTTP/2 on this machine")
    script = tmp_path / "ask"
    script.write_text(
        f'#!/bin/sh\nexec {curl} -sS --noproxy "*" --http2 -H "content-type: application/json" "$1" -d "$2"\n'
    )
    script.chmod(0o755)
    assert await asked(board, str(script)) == "yes"


async def test_the_jdks_own_client_is_answered(board: Board, tmp_path: Path) -> None:
    java = shutil.which("java")
    if java is None:
        pytest.skip("no Java on this machine")
    program = tmp_path / "Ask.java"
    program.write_text(JAVA)
    assert await asked(board, java, str(program)) == "yes"
