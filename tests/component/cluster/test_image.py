"""The exports of an image's build, as a shell reads them."""

import subprocess

from boardroom.cluster import image


def test_the_shell_reads_back_what_was_exported() -> None:
    value = "https://user:p'a$s\"s@host/simple"
    exports = image.network({"PIP_INDEX_URL": value}, []).exports
    script = f'{exports}printf %s "$PIP_INDEX_URL"'
    said = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, env={}).stdout
    assert said == value
