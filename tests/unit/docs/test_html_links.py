"""Which links of a page lead nowhere."""

from pathlib import Path

import pytest

from tools.html_links import broken


@pytest.mark.parametrize(
    "link",
    [
        "other.html",
        "other.html#here",
        "#top",
        "folder/",
        "picture.svg",
        "https://example.com/missing",
        "/other.html",
        ".",
    ],
)
def test_a_link_that_leads_somewhere_is_whole(site: Path, link: str) -> None:
    (site / "index.html").write_text(f'<h1 id="top"><a href="{link}">x</a></h1>')
    assert broken(site) == []


@pytest.mark.parametrize("link", ["missing.html", "other.html#gone", "#gone", "folder/missing.svg", "/missing.html"])
@pytest.mark.parametrize("attribute", ["href", "src"])
def test_a_link_to_no_file_or_anchor_is_broken(site: Path, link: str, attribute: str) -> None:
    (site / "index.html").write_text(f'<h1 id="top"><a {attribute}="{link}">x</a></h1>')
    assert broken(site) == [f"index.html: {link}"]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/index.html").write_text("<p>folder</p>")
    (tmp_path / "other.html").write_text('<a name="here">here</a>')
    (tmp_path / "picture.svg").write_text("<svg/>")
    return tmp_path
