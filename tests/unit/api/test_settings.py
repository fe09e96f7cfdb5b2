import pytest

from boardroom.api.boardroom import BoardroomSpec
from boardroom.api.settings import DEFAULT_LORAX_IMAGE, Defaults, SettingsError, effective

SPEC = {"model": {"id": "m"}}


def test_an_empty_environment_gives_the_documented_defaults() -> None:
    assert Defaults.from_env({}) == Defaults(
        enable_lorax=True,
        lorax_image=DEFAULT_LORAX_IMAGE,
        lorax_port=8080,
        adapter_cache_size=100,
        max_concurrent_requests=128,
        max_members=15,
    )


def test_the_environment_is_read_back_as_it_was_written() -> None:
    defaults = Defaults(enable_lorax=False, lorax_image="i:1", lorax_port=9000, adapter_cache_size=7)
    assert Defaults.from_env(defaults.to_env()) == defaults


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("AOS_ENABLE_LORAX", "maybe", "AOS_ENABLE_LORAX='maybe': give true or false"),
        ("AOS_LORAX_PORT", "80", "AOS_LORAX_PORT='80': give a whole number from 1024 to 65535"),
        ("AOS_LORAX_PORT", "8082", "AOS_LORAX_PORT=8082: that port belongs to the adapters sidecar"),
        ("AOS_MAX_MEMBERS", "many", "AOS_MAX_MEMBERS='many': give a whole number from 1 to 256"),
        ("AOS_LORAX_ADAPTER_CACHE_SIZE", "-1", "AOS_LORAX_ADAPTER_CACHE_SIZE='-1': give a whole number from 1 to 4096"),
        ("AOS_LORAX_MAX_CONCURRENT_REQUESTS", "²", "AOS_LORAX_MAX_CONCURRENT_REQUESTS='²': give a whole number"),
    ],
)
def test_a_bad_variable_is_named_with_its_remedy(name: str, value: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Defaults.from_env({name: value})
    assert str(caught.value).startswith(message)


def test_the_spec_wins_over_the_defaults() -> None:
    spec = BoardroomSpec.model_validate(
        SPEC
        | {
            "enableLorax": False,
            "maxMembers": 3,
            "lorax": {"image": "x:1", "port": 9999, "adapterCacheSize": 5, "maxConcurrentRequests": 6},
        }
    )
    assert effective(spec, Defaults()).to_object() == {
        "enabled": False,
        "image": "x:1",
        "port": 9999,
        "adapterCacheSize": 5,
        "maxConcurrentRequests": 6,
        "maxMembers": 3,
    }


def test_a_silent_spec_takes_the_defaults() -> None:
    assert effective(BoardroomSpec.model_validate(SPEC), Defaults()).to_object() == {
        "enabled": True,
        "image": DEFAULT_LORAX_IMAGE,
        "port": 8080,
        "adapterCacheSize": 100,
        "maxConcurrentRequests": 128,
        "maxMembers": 15,
    }
