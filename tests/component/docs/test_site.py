"""The site of docs/ as `make docs` builds it: whole, without a broken link, and readable on a phone."""

import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tools import browser, html_links, site
from tools.pages import ROOT

PHONE = 390
"""Pixels that a phone is wide."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not site.ZENSICAL.is_file():
        pytest.skip("no .venv-docs here; `make docs` makes it")
    return site.build(tmp_path_factory.mktemp("docs") / "work")


@pytest.fixture(scope="module")
def address(built: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(built))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_no_link_and_no_anchor_is_broken(built: Path) -> None:
    assert html_links.broken(built) == []


def test_every_page_is_on_the_site_and_in_its_navigation(built: Path) -> None:
    links = html_links.read(built / "index.html").links
    navigation = {(built / link).resolve() for link in links if ":" not in link}
    assert {place for place in places() if (built / place).resolve() not in navigation} == set()


def test_every_page_is_found_by_the_search(built: Path) -> None:
    index = json.loads((built / "search.json").read_text(encoding="utf-8"))
    assert places() - {item["location"].split("#")[0] for item in index["items"]} == set()


def places() -> set[str]:
    """The files that the pages of docs/ become."""
    pages = [page.relative_to(ROOT / "docs") for page in (ROOT / "docs").rglob("*.md")]
    return {str(page.with_name(page.name.replace("README", "index")).with_suffix(".html")) for page in pages}


def test_no_page_asks_another_server_for_anything(built: Path) -> None:
    pages = {file: html_links.read(file) for file in built.rglob("*.html")}
    assert {source for page in pages.values() for source in page.sources if ":" in source} == set()


needs_a_browser = pytest.mark.skipif(
    browser.PROGRAM is None, reason="no chromium here; `make chromium` installs Debian's as root"
)


@needs_a_browser
@pytest.mark.parametrize(
    ("page", "heading", "pictures"),
    [
        ("architecture.html", "Architecture", 1),
        ("performance.html", "Performance", 1),
        ("reference/boardroom.html", "The Boardroom", 0),
    ],
)
async def test_a_phone_shows_the_heading_and_the_pictures_and_scrolls_in_one_direction(
    address: str, page: str, heading: str, pictures: int
) -> None:
    async with browser.tab(width=PHONE, height=844) as tab:
        await tab.open(f"{address}/{page}")
        assert await tab.evaluate("document.querySelector('h1').firstChild.textContent.trim()") == heading
        widths = await tab.evaluate("[...document.querySelectorAll('article img')].map(image => image.naturalWidth)")
        assert len(widths) == pictures
        assert all(width > 0 for width in widths)
        assert await tab.evaluate("document.documentElement.scrollWidth") == PHONE
        assert await tab.evaluate("window.innerWidth") == PHONE


@needs_a_browser
async def test_a_reader_may_choose_dark_or_light_colours(address: str) -> None:
    async with browser.tab(width=PHONE, height=844) as tab:
        await tab.open(f"{address}/index.html")
        scheme = "document.body.getAttribute('data-md-color-scheme')"
        shown = await tab.evaluate(scheme)
        await tab.evaluate("document.querySelector('[data-md-component=palette] label:not([hidden])').click()")
        assert {shown, await tab.evaluate(scheme)} == {"default", "slate"}


@needs_a_browser
async def test_the_search_leads_to_the_page_with_the_word(address: str) -> None:
    shadow = (
        "[...document.querySelectorAll('div')].find(element => element.shadowRoot?.querySelector('input'))?.shadowRoot"
    )
    async with browser.tab(width=PHONE, height=844) as tab:
        await tab.open(f"{address}/index.html")
        await tab.evaluate("document.querySelector('.md-search__button').click()")
        await tab.until(f"{shadow}?.querySelector('input') && ({shadow}.querySelector('input').focus(), true)")
        await tab.call("Input.insertText", text="AverageAboveLimit")
        found = await tab.until(f"{shadow}?.querySelector('a[href]')?.href")
        assert found.split("#")[0].split("?")[0] == f"{address}/reference/reasons.html"
