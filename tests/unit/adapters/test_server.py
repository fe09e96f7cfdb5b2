"""The sidecar's HTTP: GET /v1/adapters and GET /healthz."""

import os
from pathlib import Path

import httpx
import pytest

from boardroom.adapters import read, server
from boardroom.adapters.synthetic import Shape, make


def client(root: Path) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(server.application(root)), base_url="http://sidecar")


async def test_adapters_are_listed_with_everything_that_is_known(tmp_path: Path) -> None:
    make(tmp_path, ["ceo"], Shape(rank=16))
    async with client(tmp_path) as http:
        answer = (await http.get("/v1/adapters")).json()
    path = tmp_path / "ceo_lora_adapter"
    assert answer == {
        "root": str(tmp_path),
        "adapters": [
            {
                "name": "ceo_lora_adapter",
                "path": str(path),
                "digest": read(path).digest,
                "rank": 16,
                "baseModel": "mistralai/Mistral-7B-Instruct-v0.1",
                "targetModules": ["q_proj", "v_proj"],
                "modules": ["model.layers.*.self_attn.q_proj", "model.layers.*.self_attn.v_proj"],
                "sizeBytes": (path / "adapter_model.safetensors").stat().st_size,
                "problem": None,
            }
        ],
    }


async def test_a_problem_is_served_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "cfo_lora_adapter").mkdir()
    async with client(tmp_path) as http:
        (adapter,) = (await http.get("/v1/adapters")).json()["adapters"]
    assert adapter["problem"]["reason"] == "AdapterMissing"


@pytest.mark.parametrize("odd", [b"\xff.safetensors", b"\xff.bin"])
async def test_a_file_name_that_is_no_text_is_a_problem_of_its_adapter_alone(tmp_path: Path, odd: bytes) -> None:
    make(tmp_path, ["ceo", "cfo"], Shape())
    (tmp_path / "cfo_lora_adapter" / os.fsdecode(odd)).symlink_to("nowhere")
    async with client(tmp_path) as http:
        answer = await http.get("/v1/adapters")
    ceo, cfo = answer.json()["adapters"]
    assert (ceo["problem"], cfo["problem"]["reason"]) == (None, "AdapterInvalid")
    assert "UTF-8; rename the file" in cfo["problem"]["message"]


async def test_an_unchanged_listing_is_not_sent_again(tmp_path: Path) -> None:
    async with client(tmp_path) as http:
        etag = (await http.get("/v1/adapters")).headers["etag"]
        again = await http.get("/v1/adapters", headers={"if-none-match": etag})
    assert (again.status_code, again.content) == (304, b"")


async def test_a_new_adapter_shows_after_the_rescan_interval_and_not_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with client(tmp_path) as http:
        await http.get("/v1/adapters")
        make(tmp_path, ["ceo"], Shape())
        cached = (await http.get("/v1/adapters")).json()["adapters"]
        monkeypatch.setattr(server, "RESCAN_SECONDS", 0.0)
        fresh = (await http.get("/v1/adapters")).json()["adapters"]
    assert ([a["name"] for a in cached], [a["name"] for a in fresh]) == ([], ["ceo_lora_adapter"])


async def test_a_missing_mount_is_an_error_that_names_it(tmp_path: Path) -> None:
    async with client(tmp_path / "absent") as http:
        answer = await http.get("/v1/adapters")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "RootUnreadable")


async def test_healthz_does_not_look_at_the_mount(tmp_path: Path) -> None:
    async with client(tmp_path / "absent") as http:
        assert (await http.get("/healthz")).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_nothing_can_be_written(tmp_path: Path, method: str) -> None:
    async with client(tmp_path) as http:
        assert (await http.request(method, "/v1/adapters")).status_code == 405
