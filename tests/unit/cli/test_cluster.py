"""The commands where there is no cluster, and which cluster they choose."""

import errno
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from boardroom.cli.cluster import cluster
from boardroom.cluster import choice, host
from boardroom.cluster.native import NativeNode
from boardroom.cluster.rest import RestError


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    no_docker(monkeypatch)
    return CliRunner()


def no_docker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "why_no_docker", lambda: "there is no `docker` on PATH")


def test_status_says_that_nothing_runs(run: CliRunner) -> None:
    result = run.invoke(cluster, ["status"])
    assert (result.exit_code, result.stdout) == (1, "native: not running\n")


def test_what_a_machine_that_went_down_left_empty_is_no_traceback(run: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "boardroom" / "node").mkdir(parents=True)
    (tmp_path / "boardroom" / "cluster.json").touch()
    (tmp_path / "boardroom" / "node" / "node.json").touch()
    result = run.invoke(cluster, ["status"])
    assert result.stdout == (
        "native: not running\n- what a crash left is still there: `boardroom cluster down` removes it\n"
    )


@pytest.mark.parametrize(
    "error",
    [
        RestError(409, "PATCH /api/v1/nodes/boardroom/status: 409"),
        OSError(errno.EROFS, "Read-only file system", "/proc/sys/net/ipv4/ip_forward"),
        TimeoutError("processes [7] are still there 20 s after SIGKILL"),
        subprocess.CalledProcessError(1, ["setsid"]),
    ],
)
def test_what_the_machine_refuses_is_one_line(
    run: CliRunner, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(_: NativeNode, *, gpus: int) -> None:
        raise error

    monkeypatch.setattr(NativeNode, "up", refuse)
    result = run.invoke(cluster, ["up"])
    assert (result.exit_code, result.stderr) == (1, f"Error: {error}\n")


def test_a_machine_without_a_free_network_is_told_where_to_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "require", lambda _: "ip")
    monkeypatch.setattr(host, "_run", lambda _: '[{"dst": "10.0.0.0/8"}]')
    with pytest.raises(host.HostError, match="see `ip route`"):
        host.free_addresses()


@pytest.mark.parametrize("command", [["kubeconfig"], ["load", "pyproject.toml"]])
def test_what_needs_a_cluster_says_how_to_get_one(run: CliRunner, command: list[str]) -> None:
    result = run.invoke(cluster, command)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "run `boardroom cluster up`" in result.stderr


def test_an_image_that_is_no_file_names_the_remedy(run: CliRunner) -> None:
    result = run.invoke(cluster, ["load", "alpine:3"])
    assert result.stderr == "Error: alpine:3 is not a file: save the image first (docker save -o image.tar alpine:3)\n"
