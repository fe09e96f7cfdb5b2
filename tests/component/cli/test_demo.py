"""`boardroom demo` where a step fails: what it has begun is taken down."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from boardroom.cli import demo


@pytest.mark.parametrize(
    ("flags", "last"), [([], "cluster down"), (["--keep"], "cluster load")], ids=["by default", "not with --keep"]
)
def test_a_cluster_that_takes_no_image_is_not_left_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: list[str], last: str
) -> None:
    program = tmp_path / "boardroom"
    program.write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/calls\ncase "$2" in status|load) exit 1 ;; esac\n')
    program.chmod(0o755)
    monkeypatch.setattr(demo, "_PROGRAM", str(program))
    (tmp_path / "demo").mkdir()
    result = CliRunner().invoke(demo.demo, [*flags, "--manifests", str(tmp_path)])
    assert (result.exit_code, "`boardroom cluster load` failed with 1" in result.output) == (1, True)
    assert (tmp_path / "calls").read_text().splitlines()[-1] == last


def test_outside_a_clone_it_says_where_to_run_it(tmp_path: Path) -> None:
    result = CliRunner().invoke(demo.demo, ["--manifests", str(tmp_path)])
    assert (result.exit_code, "run this in a clone of the project" in result.output) == (2, True)
