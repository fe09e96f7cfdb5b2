"""A control plane of child processes: its life and its end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from boardroom.cluster import processes
from boardroom.cluster.commands import Endpoint
from boardroom.cluster.controlplane import ControlPlane
from boardroom.cluster.daemon import DaemonError
from boardroom.cluster.rest import Rest, RestError
from tools.waiting import until

CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kept"}, "data": {"a": "b"}}
PATH = "/api/v1/namespaces/default/configmaps/kept"
STARTER = """
import sys
from boardroom.cluster.controlplane import ControlPlane
with ControlPlane(sys.argv[1]) as plane:
    print(plane.server, flush=True)
    sys.stdin.read()
"""


def _of(directory: Path) -> list[processes.Process]:
    """The processes that have the directory in their command line."""
    found = []
    for process in processes.running():
        try:
            if str(directory).encode() in Path(f"/proc/{process.pid}/cmdline").read_bytes():
                found.append(process)
        except OSError:  # it ended meanwhile
            continue
    return [process for process in found if process.pid != os.getpid()]


def test_two_run_side_by_side(tmp_path: Path) -> None:
    with ControlPlane(tmp_path / "one") as one, ControlPlane(tmp_path / "two") as two:
        Rest(one.kubeconfig).apply(PATH, CONFIG_MAP)
        with pytest.raises(RestError, match="404"):
            Rest(two.kubeconfig).get(PATH)


def test_one_does_not_trust_the_others_certificates(tmp_path: Path) -> None:
    with ControlPlane(tmp_path / "one") as one, ControlPlane(tmp_path / "two") as two:
        text = one.kubeconfig.read_text().replace(one.server, two.server)
        (tmp_path / "mixed").write_text(text)
        assert not Rest(tmp_path / "mixed").answers()


def test_data_address_and_keys_outlive_a_stop(tmp_path: Path) -> None:
    with ControlPlane(tmp_path) as plane:
        api, server = Rest(plane.kubeconfig), plane.server
        api.apply(PATH, CONFIG_MAP)
        plane.stop()
        assert not api.answers()
        plane.start()
        assert (plane.server, api.get(PATH)["data"]) == (server, {"a": "b"})


def test_stop_leaves_no_process(tmp_path: Path) -> None:
    parts = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"]
    with ControlPlane(tmp_path, controller_manager=True, scheduler=True):
        # The last one started may still be setpriv, on its way to become what it runs.
        until("every part runs", lambda: sorted(process.name for process in _of(tmp_path)) == parts)
    assert _of(tmp_path) == []


def test_all_parts_die_with_a_killed_starter(tmp_path: Path) -> None:
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with starter:
        assert starter.stdout is not None
        assert starter.stdout.readline().startswith("https://127.0.0.1:")
        starter.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while _of(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _of(tmp_path) == []


def test_a_part_that_dies_while_starting_shows_the_end_of_its_log(tmp_path: Path) -> None:
    plane = ControlPlane(
        tmp_path, endpoint=Endpoint(address="203.0.113.7", port=6443)
    )  # not an address of this machine
    with pytest.raises(
        DaemonError, match=r"kube-apiserver ended with code 1; the end of [\s\S]+assign requested address"
    ):
        plane.start()
    assert _of(tmp_path) == []
