"""API keys out of files."""

import hmac
from pathlib import Path

import pytest

from boardroom.coordinator.auth.keys import REREAD_SECONDS, ApiKeys, digest, match
from boardroom.coordinator.errors import AuthUnavailable, Unauthenticated

OLD, NEW = "old-key-0123456789", "new-key-0123456789"


class Keys:
    def __init__(self, path: Path) -> None:
        self.seconds = 0.0
        self.keys = ApiKeys(path, now=lambda: self.seconds)

    async def ask(self, key: str) -> str:
        return await self.keys.caller(f"Bearer {key}")


def mounted(directory: Path, version: str, data: dict[str, str]) -> None:
    """The files of a Secret as the kubelet puts them: links into a directory that is swapped as a whole."""
    (directory / version).mkdir()
    for name, value in data.items():
        (directory / version / name).write_text(value)
        if not (directory / name).is_symlink():
            (directory / name).symlink_to(f"..data/{name}")
    (directory / "..new").symlink_to(version)
    (directory / "..new").replace(directory / "..data")


async def test_each_key_is_named_for_the_log(tmp_path: Path) -> None:
    mounted(tmp_path, "..1", {"app": OLD + "\n", "team": f"# rotated in May\n{OLD}x\n{NEW}\n"})
    stand = Keys(tmp_path)
    expected = ["key:app", "key:team#1", "key:team#2"]
    assert expected == [await stand.ask(OLD), await stand.ask(OLD + "x"), await stand.ask(NEW)]


@pytest.mark.parametrize("wrong", [OLD[:-1], OLD + "x", "# rotated in May", "app"])
async def test_another_key_is_nobodys(tmp_path: Path, wrong: str) -> None:
    mounted(tmp_path, "..1", {"app": f"# rotated in May\n{OLD}"})
    with pytest.raises(Unauthenticated):
        await Keys(tmp_path).ask(wrong)


async def test_a_changed_secret_counts_without_a_restart(tmp_path: Path) -> None:
    mounted(tmp_path, "..1", {"app": OLD})
    stand = Keys(tmp_path)
    assert await stand.ask(OLD) == "key:app"
    mounted(tmp_path, "..2", {"app": NEW})
    stand.seconds = REREAD_SECONDS
    assert await stand.ask(NEW) == "key:app"
    with pytest.raises(Unauthenticated):
        await stand.ask(OLD)


async def test_without_keys_nobody_is_let_in_until_there_are_some(tmp_path: Path) -> None:
    stand = Keys(tmp_path)
    with pytest.raises(AuthUnavailable, match="holds no key"):
        await stand.ask(OLD)
    mounted(tmp_path, "..1", {"app": OLD})
    stand.seconds = REREAD_SECONDS
    assert (await stand.ask(OLD), await stand.keys.problem()) == ("key:app", "")


@pytest.mark.parametrize("content", [b"", b"short\n", b"\xff\xfe" * 16])
async def test_a_file_without_a_usable_key_lets_nobody_in(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "keys"
    file.write_bytes(content)
    with pytest.raises(AuthUnavailable):
        await Keys(file).ask("short")


def test_every_key_is_compared_whichever_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[bytes] = []

    def compare(known: bytes, given: bytes) -> bool:
        compared.append(known)
        return known == given

    monkeypatch.setattr(hmac, "compare_digest", compare)
    known = (("a", digest(OLD)), ("b", digest(NEW)))
    assert (match(known, OLD), match(known, "neither"), len(compared)) == ("a", None, 4)
