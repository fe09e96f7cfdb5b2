"""Which programs there are, and what decides that one must be built anew."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from boardroom.cluster.programs import COREDNS, KUBERNETES, PROGRAMS, Module, Program


def _module(folder: Path, *, go_mod: str = "module m\n\nrequire k8s.io/kubernetes v1.2.3\n") -> Module:
    (folder / "go.mod").write_text(go_mod)
    (folder / "go.sum").write_text("sums")
    return Module(name="m", folder=folder, cold_minutes=1, stamp="k8s.io/kubernetes")


@pytest.mark.parametrize(
    ("package", "expected"),
    [
        ("go.etcd.io/etcd/server/v3", "server"),
        ("k8s.io/kubernetes/cmd/kubelet", "kubelet"),
        ("github.com/containerd/containerd/v2/cmd/ctr", "ctr"),
        (".", "coredns"),
    ],
)
def test_go_names_a_program_for_its_package(package: str, expected: str) -> None:
    assert Program("any", COREDNS, package).go_name == expected


def test_every_program_of_others_is_a_tool_of_its_go_mod() -> None:
    named = {
        (module.name, package)
        for module in {program.module for program in PROGRAMS.values()}
        for package in re.findall(r"^\t(\S+/\S+)$", (module.folder / "go.mod").read_text(), re.MULTILINE)
    }
    ours = {(program.module.name, program.package) for program in PROGRAMS.values() if program.package != "."}
    assert ours == named


def test_kubernetes_carries_its_version() -> None:
    version = KUBERNETES.version()
    assert f"-X k8s.io/component-base/version.gitVersion={version} " in KUBERNETES.flags()[-1]


def test_a_version_is_read_from_a_single_line_requirement(tmp_path: Path) -> None:
    assert _module(tmp_path).version() == "v1.2.3"


def test_a_version_that_go_mod_does_not_name_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="does not require"):
        _module(tmp_path, go_mod="module m\n").version()


@pytest.mark.parametrize(("file", "content"), [("go.mod", None), ("go.sum", "other"), ("main.go", "package main")])
def test_the_key_changes_with(tmp_path: Path, file: str, content: str | None) -> None:
    module = _module(tmp_path)
    before = module.key()
    (tmp_path / file).write_text(content or (tmp_path / file).read_text() + "\n// comment\n")
    assert module.key() != before


def test_the_key_changes_with_the_build_tags(tmp_path: Path) -> None:
    module = _module(tmp_path)
    assert replace(module, tags="no_zfs").key() != module.key()


def test_the_key_stays_with_files_that_go_does_not_read(tmp_path: Path) -> None:
    module = _module(tmp_path)
    before = module.key()
    (tmp_path / "notes.md").write_text("words")
    assert module.key() == before


def test_the_key_stays_wherever_the_module_lies(tmp_path: Path) -> None:
    module = _module(tmp_path)
    moved = tmp_path / "moved"
    shutil.copytree(tmp_path, moved)
    assert replace(module, folder=moved).key() == module.key()
