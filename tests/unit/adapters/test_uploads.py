"""What arrives on a volume appears whole, as what was announced, and never over what LoRAX may have loaded."""

import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from boardroom.adapters import Adapter, Scanner, read, uploads
from boardroom.adapters.synthetic import Shape, make_one
from boardroom.adapters.uploads import INCOMING, UploadError, UploadStore


@pytest.fixture
def volume(tmp_path: Path) -> UploadStore:
    (tmp_path / "volume").mkdir()
    return UploadStore(tmp_path / "volume", limit=1_000_000)


def digest(directory: Path) -> str:
    found = read(directory).digest
    assert found is not None
    return found


def arrive(volume: UploadStore, directory: Path, announced: str) -> None:
    for path in directory.iterdir():
        upload = volume.start(announced, path.name, path.stat().st_size)
        upload.write(path.read_bytes())
        upload.finish()


def put(volume: UploadStore, directory: Path, name: str) -> bool:
    arrive(volume, directory, digest(directory))
    return volume.commit(name, digest(directory))


def refusal(volume: UploadStore, directory: Path, name: str) -> str:
    with pytest.raises(UploadError) as caught:
        put(volume, directory, name)
    return caught.value.code


def listed(volume: UploadStore) -> dict[str, str | None]:
    return {item.name: item.adapter.digest for item in Scanner(volume.root).scan()}


@pytest.mark.parametrize("name", ["ceo_lora_adapter", "finance/cfo/2"])
def test_an_adapter_lies_under_its_name_as_it_was_sent(volume: UploadStore, adapter: Path, name: str) -> None:
    assert put(volume, adapter, name)
    assert listed(volume) == {name: digest(adapter)}
    assert list((volume.root / INCOMING).iterdir()) == []


def test_what_is_on_its_way_is_listed_nowhere(volume: UploadStore, adapter: Path) -> None:
    arrive(volume, adapter, digest(adapter))
    assert listed(volume) == {}


def test_the_same_again_changes_nothing(volume: UploadStore, adapter: Path) -> None:
    put(volume, adapter, "ceo")
    before = (volume.root / "ceo").stat().st_ino
    assert not put(volume, adapter, "ceo")
    assert (volume.root / "ceo").stat().st_ino == before
    assert volume.contains("ceo", digest(adapter))


def test_other_weights_do_not_take_the_name_of_those_that_lorax_may_know(
    volume: UploadStore, adapter: Path, tmp_path: Path
) -> None:
    put(volume, adapter, "ceo")
    make_one(tmp_path / "other", "CFO", Shape())
    assert refusal(volume, tmp_path / "other", "ceo") == "NameTaken"
    with pytest.raises(UploadError, match=r"spec\.adapter\.path"):
        volume.contains("ceo", digest(tmp_path / "other"))
    assert listed(volume) == {"ceo": digest(adapter)}


@pytest.mark.parametrize("before", ["nothing", "half", "pickle"])
def test_what_could_never_be_loaded_gives_way(volume: UploadStore, adapter: Path, before: str) -> None:
    place = volume.root / "ceo"
    place.mkdir()
    if before == "half":
        shutil.copy(adapter / "adapter_config.json", place)
    elif before == "pickle":
        (place / "adapter_model.bin").write_bytes(b"x")
    assert put(volume, adapter, "ceo")
    assert listed(volume) == {"ceo": digest(adapter)}


def test_a_folder_of_other_adapters_is_not_cleared_away(volume: UploadStore, adapter: Path) -> None:
    put(volume, adapter, "finance/cfo")
    assert refusal(volume, adapter, "finance") == "NameTaken"
    assert listed(volume) == {"finance/cfo": digest(adapter)}


def test_files_with_another_digest_than_announced_are_deleted(
    volume: UploadStore, adapter: Path, tmp_path: Path
) -> None:
    announced = digest(adapter)
    (adapter / "adapter_config.json").write_bytes((adapter / "adapter_config.json").read_bytes() + b" ")
    arrive(volume, adapter, announced)
    with pytest.raises(UploadError, match="damaged on the way"):
        volume.commit("ceo", announced)
    assert (listed(volume), volume.received(announced)) == ({}, {})


def test_what_the_board_would_refuse_is_refused(volume: UploadStore, adapter: Path) -> None:
    config = adapter / "adapter_config.json"
    config.write_bytes(config.read_bytes().replace(b'"use_dora": false', b'"use_dora": true'))
    assert refusal(volume, adapter, "ceo") == "UnsupportedFeature"


def test_a_file_counts_only_when_all_of_it_has_arrived(volume: UploadStore, adapter: Path) -> None:
    announced, file = digest(adapter), adapter / "adapter_model.safetensors"
    upload = volume.start(announced, file.name, file.stat().st_size)
    upload.write(file.read_bytes()[:100])
    with pytest.raises(UploadError, match="100 of"):
        upload.finish()
    assert volume.received(announced) == {}


def test_an_attempt_that_broke_off_takes_nothing_from_the_next_one(volume: UploadStore, adapter: Path) -> None:
    announced, file = digest(adapter), adapter / "adapter_model.safetensors"
    first, second = (volume.start(announced, file.name, file.stat().st_size) for _ in range(2))
    first.write(b"half")
    second.write(file.read_bytes())
    first.abort()
    second.finish()
    assert volume.received(announced) == {file.name: file.stat().st_size}


def test_what_a_killed_push_left_counts_nothing_against_the_limit(tmp_path: Path, adapter: Path) -> None:
    announced, file = digest(adapter), adapter / "adapter_model.safetensors"
    volume = UploadStore(tmp_path, limit=file.stat().st_size)
    killed = volume.start(announced, file.name, file.stat().st_size)
    killed.write(b"half")
    killed._stream.close()
    after = UploadStore(tmp_path, limit=file.stat().st_size)
    after.delete_stale()
    assert put(after, adapter, "again")


@pytest.mark.parametrize("size", [10, 500_000])
def test_a_volume_that_fills_up_meanwhile_is_said_to_be_full(volume: UploadStore, adapter: Path, size: int) -> None:
    upload = volume.start(digest(adapter), "adapter_model.safetensors", size)
    upload._stream.close()
    upload._stream = Path("/dev/full").open("wb")  # noqa: SIM115 (closed by the upload)
    with pytest.raises(UploadError, match="No space left on device; enlarge the claim") as caught:  # noqa: PT012 (which of the two meets it first depends on the size)
        upload.write(b"x" * size)
        upload.finish()
    upload.abort()
    assert (caught.value.code, list((volume.root / INCOMING).glob("*/.*"))) == ("VolumeFull", [])


@pytest.mark.parametrize("name", ["ceo/2", "ceo/2/3", "file/2"])
def test_nothing_is_put_where_no_board_looks(volume: UploadStore, adapter: Path, name: str) -> None:
    put(volume, adapter, "ceo")
    (volume.root / "file").touch()
    assert refusal(volume, adapter, name) == "NameTaken"


def test_nothing_is_put_deeper_than_a_board_looks(volume: UploadStore, adapter: Path) -> None:
    assert put(volume, adapter, "1/2/3/4/5/6/7/8")
    assert listed(volume) == {"1/2/3/4/5/6/7/8": digest(adapter)}
    assert refusal(volume, adapter, "1/2/3/4/5/6/7/a/9") == "BadName"


def test_of_two_pushes_of_one_name_the_second_overwrites_nothing(
    volume: UploadStore, adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_one(tmp_path / "other", "CFO", Shape())

    def other_comes_first(directory: Path, **options: Any) -> Adapter:
        if directory.parent.name == INCOMING:
            shutil.copytree(tmp_path / "other", volume.root / "ceo", dirs_exist_ok=True)
        return read(directory, **options)

    monkeypatch.setattr(uploads, "read", other_comes_first)
    assert refusal(volume, adapter, "ceo") == "NameTaken"
    assert listed(volume) == {"ceo": digest(tmp_path / "other")}


@pytest.mark.parametrize("name", ["", "/etc", "../up", "a/../b", ".hidden", "a\n", "a//b", "a" * 254])
def test_no_name_leads_out_of_the_volume(volume: UploadStore, adapter: Path, name: str) -> None:
    assert refusal(volume, adapter, name) == "BadName"


def test_no_link_leads_out_of_the_volume(volume: UploadStore, adapter: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (volume.root / "out").symlink_to(tmp_path / "outside")
    assert refusal(volume, adapter, "out/ceo") == "BadName"
    assert list((tmp_path / "outside").iterdir()) == []


@pytest.mark.parametrize(
    "file", ["../x.safetensors", ".x.safetensors", "adapter_model.bin", "run.sh", "x/y.safetensors"]
)
def test_only_an_adapters_files_are_taken(volume: UploadStore, adapter: Path, file: str) -> None:
    with pytest.raises(UploadError, match=r"only adapter_config\.json"):
        volume.start(digest(adapter), file, 10)


def test_more_than_the_board_takes_is_refused_before_it_travels(volume: UploadStore, adapter: Path) -> None:
    arrive(volume, adapter, digest(adapter))
    with pytest.raises(UploadError, match=r"spec\.adapters\.maxSize"):
        volume.start(digest(adapter), "more.safetensors", 999_999)
    with pytest.raises(UploadError, match="1048576 are allowed"):
        volume.start(digest(adapter), "adapter_config.json", (1 << 20) + 1)


def test_more_than_there_is_room_for_is_refused_before_it_travels(
    volume: UploadStore, adapter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(volume.root)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=5))
    with pytest.raises(UploadError, match="5 are free on the adapters volume"):
        volume.start(digest(adapter), "adapter_model.safetensors", 6)


def test_what_was_begun_long_ago_is_cleared_away(volume: UploadStore, adapter: Path) -> None:
    arrive(volume, adapter, digest(adapter))
    volume.delete_stale()
    assert len(volume.received(digest(adapter))) == 2
    (begun,) = (volume.root / INCOMING).iterdir()
    os.utime(begun, (time.time() - 2 * uploads.STALE_SECONDS,) * 2)
    volume.delete_stale()
    assert volume.received(digest(adapter)) == {}


def test_a_volume_that_can_t_be_written_is_named_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UploadError, match="must be writable for user"):
        UploadStore(tmp_path / "file", 1).delete_stale()
