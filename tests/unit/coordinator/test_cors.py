"""Origins, as a board names them and as browsers send them."""

import pytest
from pydantic import ValidationError

from boardroom.api.coordinator import CorsSpec


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("https://App.Example.com", "https://app.example.com"),
        ("https://app.example.com:443", "https://app.example.com"),
        ("http://localhost:80", "http://localhost"),
        ("https://app.example.com:80", "https://app.example.com:80"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("chrome-extension://abcdefgh", "chrome-extension://abcdefgh"),
    ],
)
def test_an_origin_is_compared_as_browsers_send_it(written: str, sent: str) -> None:
    assert CorsSpec(allow_origins=(written,)).as_sent == [sent]


@pytest.mark.parametrize(
    "written",
    [
        "*",
        "null",
        "",
        "app.example.com",
        "https://",
        "https://app.example.com/",
        "https://*.example.com",
        "https://a b",
        "https://u@app.example.com",
        "https://app.example.com:",
        "HTTPS://app.example.com",
        "https://app.example.com\n",
    ],
)
def test_what_is_no_origin_is_refused(written: str) -> None:
    with pytest.raises(ValidationError):
        CorsSpec(allow_origins=(written,))
