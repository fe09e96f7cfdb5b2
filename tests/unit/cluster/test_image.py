"""What our image is made of, and how its build reaches a package index."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from boardroom.cluster import image
from boardroom.cluster.image import Network

ROOT = Path(__file__).parents[3]


def _clone(folder: Path) -> Path:
    for name in ("Dockerfile", "pyproject.toml", "operator/boardroom/a.py", "tests/test_a.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


def _touch(file: str, content: str = "changed") -> Callable[[Path], None]:
    def change(root: Path) -> None:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(content)

    return change


@pytest.mark.parametrize(
    "change",
    [
        _touch("Dockerfile"),
        _touch("operator/boardroom/a.py"),
        _touch("operator/boardroom/new.py"),
        _touch("requirements/runtime.lock"),
        lambda root: (root / "operator/boardroom/a.py").rename(root / "operator/boardroom/b.py"),
    ],
    ids=["Dockerfile", "source", "new source", "lock", "renamed"],
)
def test_the_digest_changes_with(tmp_path: Path, change: Callable[[Path], None]) -> None:
    root = _clone(tmp_path)
    before = image.digest(root)
    change(root)
    assert image.digest(root) != before


@pytest.mark.parametrize(
    "change",
    [
        _touch("tests/test_a.py"),
        _touch("docs/a.md"),
        _touch("operator/boardroom/__pycache__/a.pyc"),
        _touch("operator/boardroom/a.py", "operator/boardroom/a.py"),
    ],
    ids=["tests", "docs", "bytecode", "rewritten as it was"],
)
def test_the_digest_stays_with(tmp_path: Path, change: Callable[[Path], None]) -> None:
    root = _clone(tmp_path)
    before = image.digest(root)
    change(root)
    assert image.digest(root) == before


def test_the_digest_covers_all_that_the_dockerfile_copies() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    single = {file.relative_to(ROOT) for file in image.sources(ROOT)}
    named = {Path(word) for line in copied for word in line.split()}
    assert [name for name in named if not any(file.is_relative_to(name) for file in single)] == []


def test_the_build_context_holds_only_what_is_copied() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert [line for line in lines if line and not line.startswith(("#", "!"))] == ["*", "**/__pycache__", "**/*.pyc"]


@pytest.mark.parametrize(
    ("environment", "configs", "expected"),
    [
        ({}, [], {}),
        ({"PIP_INDEX_URL": "https://i/"}, [], {"PIP_INDEX_URL": "https://i/", "UV_DEFAULT_INDEX": "https://i/"}),
        (
            {"PIP_INDEX_URL": "https://i/", "UV_DEFAULT_INDEX": "https://u/"},
            ["[global]\nindex-url = https://c/\n"],
            {"PIP_INDEX_URL": "https://i/", "UV_DEFAULT_INDEX": "https://u/"},
        ),
        (
            {},
            ["[global]\nindex-url = https://c/%20x\n"],
            {"PIP_INDEX_URL": "https://c/%20x", "UV_DEFAULT_INDEX": "https://c/%20x"},
        ),
        ({"https_proxy": "http://p"}, [], {"HTTPS_PROXY": "http://p"}),
        ({"PIP_FIND_LINKS": "/opt/wheels", "HOME": "/root"}, [], {}),
    ],
)
def test_the_build_reaches_the_index_as_pip_does(
    environment: dict[str, str], configs: list[str], expected: dict[str, str]
) -> None:
    assert image.network(environment, configs) == Network(_exports(expected), None)


@pytest.mark.parametrize(
    ("environment", "configs"),
    [
        ({"PIP_CERT": "/ca.pem", "SSL_CERT_FILE": "/other.pem"}, []),
        ({"SSL_CERT_FILE": "/ca.pem"}, ["[global]\ncert = /other.pem\n"]),
        ({}, ["[global]\ncert = /ca.pem\n"]),
    ],
)
def test_certificates_of_ones_own_travel_as_a_secret(environment: dict[str, str], configs: list[str]) -> None:
    inside = "/run/secrets/build_ca"
    expected = _exports({"PIP_CERT": inside, "SSL_CERT_FILE": inside})
    assert image.network(environment, configs) == Network(expected, Path("/ca.pem"))


def _exports(values: dict[str, str]) -> str:
    return "".join(f"export {name}={value}\n" for name, value in values.items())
