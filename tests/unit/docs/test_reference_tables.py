"""Tables of the reference have what the code has: a question's fields, the coordinator's flags, the API's errors."""

import re

from boardroom.api.ask import AskRequest
from boardroom.cli.coordinator import coordinator
from boardroom.coordinator import errors
from tools.pages import ROOT

HTTP_API = (ROOT / "docs/reference/http-api.md").read_text(encoding="utf-8")


def names(text: str, heading: str) -> list[str]:
    """The first cells of the tables below a heading."""
    section = text.split(f"# {heading}\n", 1)[1].split("\n## ", maxsplit=1)[0].split("\n### ", maxsplit=1)[0]
    return re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)


def test_a_question_has_the_fields_that_the_page_has() -> None:
    assert sorted(names(HTTP_API, "Fields of a question")) == sorted(AskRequest.model_fields)


def test_the_coordinator_has_the_flags_that_the_page_has() -> None:
    page = (ROOT / "docs/reference/coordinator.md").read_text(encoding="utf-8")
    flags = [option for parameter in coordinator.params for option in parameter.opts]
    assert sorted(names(page, "Flags")) == sorted(flags)


def test_the_api_has_the_errors_that_the_page_has() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.ApiError)]
    before = {
        ("400", "invalid_http"),
        ("431", "head_too_large"),
    }  # the server refuses these, and no route hears of them
    known = before | {(str(kind.status), kind.code) for kind in kinds if hasattr(kind, "code")}
    assert set(re.findall(r"^\| (\d{3}) \| (\w+) \|", HTTP_API, re.MULTILINE)) == known
