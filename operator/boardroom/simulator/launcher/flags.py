"""The command line: every flag of LoRAX's launcher, each also an environment variable, and the simulator's own.

LoRAX's flags have LoRAX's values and defaults (launcher/src/main.rs). Flags that only matter on a GPU are accepted and
change nothing; an unknown flag is an error, as in LoRAX.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from boardroom.simulator.faults import FaultError, parse_fault
from boardroom.simulator.launcher.options import Number, SectionOption, Text
from boardroom.simulator.model_server.cost import DEFAULT_PROFILE, profiles
from boardroom.simulator.settings import MAX_POSITIONS, STALE_READY_PROBABILITY, Settings, SettingsError

_QUANTIZE: Final = click.Choice(
    [
        "awq",
        "eetq",
        "exl2",
        "gptq",
        "bitsandbytes",
        "bitsandbytes-nf4",
        "bitsandbytes-fp4",
        "fp8",
        "fp8-kv",
        "hqq-4bit",
        "hqq-3bit",
        "hqq-2bit",
    ]
)


_NAMED: Final = {
    "fault": Text("kind[:key=value,...]"),
    "file": Text("file"),
    "directory": Text("directory"),
    "id": Text("id"),
    "model": Text("model"),
    "secret": Text("secret"),
    "source": Text("source"),
}
_COUNT: Final = Number("n", int)
_RATIO: Final = Number("ratio", float)
_SECONDS: Final = Number("seconds", float)
_WHOLE_SECONDS: Final = Number("seconds", int)
_PORT: Final = Number("port", int, 65535)
_SWITCH: Final = "switch"
"""A flag without a value."""


_ENGINE: Final = (
    ("model-id", _NAMED["model"], Settings().model_id, "Base model; adapters must be trained on its architecture."),
    (
        "adapter-source",
        _NAMED["source"],
        "hub",
        "Source of adapters, if a request names none: hub, local, s3 or pbase.",
    ),
    ("default-adapter-source", _NAMED["source"], None, "Overrides --adapter-source for requests."),
    ("max-active-adapters", _COUNT, 1024, "Most adapters on the GPU at once."),
    ("adapter-cycle-time-s", _WHOLE_SECONDS, 2, "Seconds after which an active adapter may be swapped out."),
    ("adapter-memory-fraction", _RATIO, 0.1, "Share of the GPU's memory that is reserved for adapters."),
    (
        "preloaded-adapter-ids",
        _NAMED["id"],
        (),
        "Adapter to load at the start; repeat it for more. No other adapter loads then.",
    ),
    ("preloaded-adapter-source", _NAMED["source"], None, "Source of the preloaded adapters; else --adapter-source."),
    ("max-concurrent-requests", _COUNT, 1024, "Most concurrent requests; further ones get 429 at once."),
    ("max-best-of", _COUNT, 2, "Highest best_of."),
    ("max-stop-sequences", _COUNT, 4, "Most stop sequences of a request."),
    ("max-input-length", _COUNT, None, f"Longest prompt in tokens.  [default: {MAX_POSITIONS - 1}]"),
    ("max-total-tokens", _COUNT, None, f"Longest prompt and answer in tokens.  [default: {MAX_POSITIONS}]"),
    ("max-batch-prefill-tokens", _COUNT, None, "Prompt tokens of one prefill.  [default: --max-input-length + 50]"),
    ("max-batch-total-tokens", _COUNT, None, "Tokens of a batch; capped by the profile's memory."),
    ("waiting-served-ratio", _RATIO, 1.2, "Ratio of waiting to running requests at which a batch is interrupted."),
    ("max-waiting-tokens", _COUNT, 20, "Decode steps after which a batch is interrupted in any case."),
    ("eager-prefill", bool, True, "Whether all waiting requests are prefilled before the next decode step."),
    ("validation-workers", _COUNT, 2, "Reported by /info."),
    ("dtype", click.Choice(["float16", "bfloat16"]), None, "Reported by /info."),
    (
        "huggingface-hub-cache",
        _NAMED["directory"],
        "/data",
        "Cache of the hub's adapters; nothing is downloaded.",
    ),
    ("json-output", _SWITCH, False, "Log lines as JSON."),
    ("download-only", _SWITCH, False, "Exit at once: there is nothing to download."),
)
_IGNORED: Final = (
    ("adapter-id", str),
    ("source", str),
    ("revision", str),
    ("sharded", bool),
    ("num-shard", _COUNT),
    ("quantize", _QUANTIZE),
    ("compile", _SWITCH),
    ("eager", _SWITCH),
    ("compile-max-batch-size", _COUNT),
    ("compile-max-rank", _COUNT),
    ("compile-batch-size", _COUNT),
    ("speculative-tokens", _COUNT),
    ("speculation-max-batch-size", _COUNT),
    ("predibase-api-token", str),
    ("trust-remote-code", _SWITCH),
    ("chunked-prefill", bool),
    ("prefix-caching", bool),
    ("merge-adapter-weights", _SWITCH),
    ("shard-uds-path", str),
    ("master-addr", str),
    ("master-port", _COUNT),
    ("weights-cache-override", str),
    ("disable-custom-kernels", _SWITCH),
    ("cuda-memory-fraction", float),
    ("otlp-endpoint", str),
    ("cors-allow-origin", str),
    ("cors-allow-header", str),
    ("cors-expose-header", str),
    ("cors-allow-method", str),
    ("cors-allow-credentials", bool),
    ("watermark-gamma", float),
    ("watermark-delta", float),
    ("tokenizer-config-path", str),
    ("backend", click.Choice(["fa2", "flashinfer"])),
    ("embedding-dim", _COUNT),
    ("disable-sgmv", _SWITCH),
    ("env", _SWITCH),
    ("memory-wiggle-room", float),
)
_OWN: Final = (
    (
        "identity-salt",
        _NAMED["secret"],
        "",
        "Key of the signature in each answer; prefer the environment variable.",
    ),
    ("profile", click.Choice(list(profiles())), DEFAULT_PROFILE, "The GPU and model whose times are simulated."),
    ("time-scale", _RATIO, 1.0, "Real seconds per simulated one; 0 doesn't wait."),
    ("startup-seconds", _SECONDS, 0.0, "Real seconds before the port opens."),
    (
        "chat-template",
        click.Choice(["merge-system", "refuse-system", "none"]),
        "merge-system",
        "How a system message is handled; none: the model has no chat template.",
    ),
    (
        "tokenizer",
        _NAMED["file"],
        None,
        "tokenizer.json of the base model, for its token counts; needs `tokenizers`.",
    ),
    (
        "lorax-version",
        click.Choice(["v0.12.1", "main"]),
        "v0.12.1",
        "The release, or the main branch, which adds /startup and metrics as JSON.",
    ),
    (
        "stale-ready-probability",
        Number("probability", float, 1),
        STALE_READY_PROBABILITY,
        "How often the base model answers for an adapter that is being offloaded.  [default: 3/483, as measured]",
    ),
    ("abort-bugs", bool, True, "Whether the process exits where LoRAX's router aborts."),
    ("fault", _NAMED["fault"], (), "A fault from the start (see below); may be repeated."),
    ("random-seed", _COUNT, 0, "Seed of the faults that have a rate or a probability."),
    ("inspect", bool, True, "Whether /simulator/* is served."),
)
_REPEATED: Final = frozenset(
    {
        "fault",
        "preloaded-adapter-ids",
        "cors-allow-origin",
        "cors-allow-header",
        "cors-expose-header",
        "cors-allow-method",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """A parsed command line: the address, how to start, and the server's settings."""

    host: str
    port: int
    startup_seconds: float
    inspect: bool
    json_output: bool
    download_only: bool
    settings: Settings


def launcher_options() -> list[click.Parameter]:
    """Return the flags of lorax-launcher."""
    return [
        _option(["--hostname"], str, "0.0.0.0", "Address to listen on.", "Server", env="HOSTNAME"),
        _option(["--port", "-p"], _PORT, 3000, "Port to listen on; 0 picks one.", "Server", env="PORT"),
        *_shared_options(),
    ]


def simulate_options() -> list[click.Parameter]:
    """Return the flags of `boardroom simulate`: the same, with the default address of our other servers."""
    return [
        _option(["--host", "--hostname", "host"], str, "127.0.0.1", "Address to listen on.", "Server"),
        _option(["--port", "-p"], _PORT, 8080, "Port to listen on; 0 picks one.", "Server", env="PORT"),
        *_shared_options(),
    ]


def parse(values: Mapping[str, Any]) -> Launch:
    """Return the launch of a command line; raises SettingsError if LoRAX would not start."""
    fields = {name.replace("-", "_"): values[name.replace("-", "_")] for name, *_ in (*_ENGINE, *_OWN)}
    limits = {name: fields.pop(name) for name in ("max_input_length", "max_total_tokens")}
    own = {name: fields.pop(name) for name in ("startup_seconds", "inspect", "json_output", "download_only")}
    default_source = fields.pop("default_adapter_source")
    tokenizer = fields.pop("tokenizer")
    if fields["dtype"] and values["quantize"]:
        raise SettingsError(
            "Only 1 can be set between `dtype` and `quantize`, as they both decide how goes the final model."
        )
    try:
        faults = tuple(parse_fault(text) for text in fields.pop("fault"))
    except FaultError as error:
        raise SettingsError(f"--fault: {error}") from error
    settings = Settings(
        **{name: value for name, value in limits.items() if value is not None},
        hub_cache=Path(fields.pop("huggingface_hub_cache")),
        dtype=fields.pop("dtype") or "float16",
        faults=faults,
        tokenizer=Path(tokenizer) if tokenizer else None,
        adapter_source=default_source or fields.pop("adapter_source"),
        **{name: value for name, value in fields.items() if name != "adapter_source"},
    )
    return Launch(host=_host(values), port=values["port"], settings=settings.checked(), **own)


def _host(values: Mapping[str, Any]) -> str:
    """Return the address to listen on. As in LoRAX, a HOSTNAME that is not an address means all addresses."""
    if "host" in values:
        return str(values["host"])
    try:
        return str(ipaddress.ip_address(values["hostname"]))
    except ValueError:
        return "0.0.0.0"


def _shared_options() -> list[click.Parameter]:
    engine = [_option([f"--{name}"], kind, default, text, "LoRAX's flags") for name, kind, default, text in _ENGINE]
    own = [
        _option([f"--{name}"], kind, default, text, "The simulator's own", env=f"SIMULATOR_{_upper(name)}")
        for name, kind, default, text in _OWN
    ]
    ignored = [_option([f"--{name}"], kind, None, "", "") for name, kind in _IGNORED]
    return [*own, *engine, *ignored]


def _option(
    names: Sequence[str], kind: Any, default: Any, text: str, section: str, *, env: str | None = None
) -> click.Option:
    long = names[0].removeprefix("--")
    repeated = long in _REPEATED
    explains_default = "[default:" in text or default in (None, "", False, ())
    return SectionOption(
        list(names),
        type=None if kind == _SWITCH else kind,
        is_flag=kind == _SWITCH,
        multiple=repeated,
        default=() if repeated else (False if kind == _SWITCH else default),
        show_default=not explains_default,
        envvar=env or (None if long == "host" else _upper(long)),
        show_envvar=env is not None and env.startswith("SIMULATOR_"),
        help=text,
        hidden=not text,
        section=section,
    )


def _upper(name: str) -> str:
    return name.upper().replace("-", "_")
