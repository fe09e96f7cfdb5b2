"""The links of built pages that lead nowhere: to no file, or to no anchor of one."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


@dataclass(slots=True)
class Page:
    """Anchors and links of one HTML file; sources are what it loads by itself."""

    anchors: set[str] = field(default_factory=set)
    links: set[str] = field(default_factory=set)
    sources: set[str] = field(default_factory=set)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = Page()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value for name, value in attrs if value is not None}
        self.page.anchors |= {values[name] for name in ("id", "name") if name in values and tag != "meta"}
        self.page.links |= {values[name] for name in ("href", "src") if name in values}
        loaded = values.get("src") or (values.get("href") if tag == "link" else None)
        self.page.sources |= {loaded} if loaded else set()


def read(file: Path) -> Page:
    reader = _Reader()
    reader.feed(file.read_text(encoding="utf-8"))
    return reader.page


def broken(site: Path) -> list[str]:
    """Each link below `site` that has no target there, as `page: link`. Links to other servers are left alone."""
    pages = {file: read(file) for file in sorted(site.rglob("*.html"))}
    return [
        f"{file.relative_to(site)}: {link}"
        for file, page in pages.items()
        for link in sorted(page.links)
        if not _leads_somewhere(link, file, site, pages)
    ]


def _leads_somewhere(link: str, file: Path, site: Path, pages: dict[Path, Page]) -> bool:
    address = urlsplit(link)
    if address.scheme or address.netloc:
        return True
    path = unquote(address.path)
    target = (site / path[1:] if path.startswith("/") else file.parent / path).resolve() if path else file
    if target.is_dir():
        target /= "index.html"
    if not address.fragment or target.suffix != ".html":
        return target.is_file()
    return target in pages and unquote(address.fragment) in pages[target].anchors
