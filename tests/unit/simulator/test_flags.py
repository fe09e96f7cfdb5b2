"""lorax-launcher: flags, environment, the port, and the end."""

import os
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from boardroom.simulator.launcher.flags import Launch, launcher_options, parse, simulate_options
from boardroom.simulator.launcher.main import launcher, simulate
from boardroom.simulator.model_server.cost import CostModel, profiles
from boardroom.simulator.settings import Settings, SettingsError


def launch(*arguments: str, command: click.Command = launcher, env: dict[str, str] | None = None) -> Launch:
    """What a command line means; click itself tells where it is wrong."""
    clean = {name: None for name in os.environ if name.isupper()}
    with CliRunner(env={**clean, **(env or {})}).isolation():
        context = command.make_context("x", list(arguments))
    return parse(context.params)


def test_the_launchers_defaults_are_loraxs() -> None:
    parsed = launch()
    assert (parsed.host, parsed.port, parsed.settings) == ("0.0.0.0", 3000, Settings())


def test_simulate_listens_at_home_by_default() -> None:
    parsed = launch(command=simulate, env={"HOSTNAME": "some-pod"})
    assert (parsed.host, parsed.port) == ("127.0.0.1", 8080)


def test_the_flags_that_the_operator_sets_arrive() -> None:
    parsed = launch(
        "--model-id", "m/x", "--adapter-source=local", "--port", "8080", "--hostname", "127.0.0.1",
        "--max-active-adapters", "100", "--max-concurrent-requests", "128", "--max-input-length", "1000",
        "--max-total-tokens", "2000", "--preloaded-adapter-ids", "/models/a",
        "--preloaded-adapter-ids", "/models/b", "--num-shard", "2", "--quantize", "awq", "--json-output",
    )  # fmt: skip
    assert (parsed.host, parsed.port, parsed.json_output) == ("127.0.0.1", 8080, True)
    assert parsed.settings == Settings(
        model_id="m/x",
        adapter_source="local",
        max_active_adapters=100,
        max_concurrent_requests=128,
        max_input_length=1000,
        max_total_tokens=2000,
        preloaded_adapter_ids=("/models/a", "/models/b"),
    )


def test_the_dtype_arrives() -> None:
    assert launch("--dtype", "bfloat16").settings == Settings(dtype="bfloat16")


def test_every_flag_is_an_environment_variable() -> None:
    env = {
        "MODEL_ID": "m/x",
        "PORT": "80",
        "HUGGINGFACE_HUB_CACHE": "/cache",
        "MAX_ACTIVE_ADAPTERS": "7",
        "SIMULATOR_IDENTITY_SALT": "pepper",
        "SIMULATOR_TIME_SCALE": "0.5",
        "SIMULATOR_STARTUP_SECONDS": "3",
        "SIMULATOR_INSPECT": "false",
        "SIMULATOR_PROFILE": "a10g-24gb-7b",
    }
    parsed = launch(env=env)
    assert (parsed.port, parsed.startup_seconds, parsed.inspect) == (80, 3.0, False)
    assert parsed.settings == Settings(
        model_id="m/x",
        hub_cache=Path("/cache"),
        max_active_adapters=7,
        identity_salt="pepper",
        time_scale=0.5,
        profile="a10g-24gb-7b",
    )


@pytest.mark.parametrize(("hostname", "host"), [("some-pod-1", "0.0.0.0"), ("::1", "::1"), ("10.0.0.1", "10.0.0.1")])
def test_a_hostname_that_is_no_address_means_every_address(hostname: str, host: str) -> None:
    assert launch(env={"HOSTNAME": hostname}).host == host


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--max-adapters", "5"], "No such option '--max-adapters'"),
        (["--port", "http"], "'http' is not a number"),
        (["--max-active-adapters", "-1"], "not in the range"),
        (["--quantize", "int4"], "'int4' is not one of"),
        (["--max-input-length", "10", "--max-total-tokens", "10"], "`max_input_length` must be < `max_total_tokens`"),
        (["--quantize", "awq", "--dtype", "float16"], "Only 1 can be set between `dtype` and `quantize`"),
        (["--validation-workers", "0"], "`validation_workers` must be > 0"),
        (["--max-batch-total-tokens", "100"], "`max_batch_prefill_tokens` must be <= `max_batch_total_tokens`"),
    ],
)
def test_a_command_line_that_lorax_would_refuse_is_refused(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(launcher, arguments)
    assert (result.exit_code in {1, 2}, said.replace("'", "") in result.output.replace("'", "")) == (True, True)


def test_the_salt_is_not_shown() -> None:
    assert "pepper" not in repr(Settings(identity_salt="pepper"))


def test_both_commands_know_the_same_flags() -> None:
    names = [
        {option.name for option in options()} - {"host", "hostname"} for options in (launcher_options, simulate_options)
    ]
    assert names[0] == names[1]


@pytest.mark.parametrize("profile", profiles())
def test_every_profile_starts(profile: str) -> None:
    assert Settings(profile=profile).checked().cost == CostModel.named(profile)


def test_an_unknown_profile_names_those_there_are() -> None:
    with pytest.raises(SettingsError, match="no profile named h100; there are a100-80gb-7b"):
        Settings(profile="h100").checked()
