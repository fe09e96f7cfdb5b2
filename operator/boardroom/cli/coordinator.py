"""`boardroom coordinator`: the service in front of one board's LoRAX."""

import os
from collections.abc import Mapping
from pathlib import Path

import click
import uvloop
from pydantic import ValidationError

from boardroom.api.coordinator import STALE_IF_ERROR_SECONDS, AuthMode, CorsSpec
from boardroom.api.manifest import ManifestError
from boardroom.api.meta import COORDINATOR_METRICS_PORT, COORDINATOR_PORT, REDIS_CA, REDIS_PASSWORD, STANDARD_API_KEY
from boardroom.api.settings import Defaults, SettingsError


@click.command(short_help="Serve one board: the program of its pods.")
@click.option("--board", help="Name of the Boardroom. Optional with a --file that holds only one.")
@click.option("--namespace", default="default", show_default=True, help="Namespace of the Boardroom.")
@click.option("--lorax-url", help="URL of LoRAX. Unset: the board runs without LoRAX.")
@click.option("--lorax-service", help="In a cluster, instead of --lorax-url: the Service of the LoRAX pods.")
@click.option("--standard-url", help="Standard inference: the server's URL up to /chat/completions.")
@click.option(
    "--standard-model", default="", help="The model's name there. $BOARDROOM_STANDARD_API_KEY holds the API key."
)
@click.option(
    "--redis-url",
    help="Keep conversations in this Redis: redis://[USER@]HOST:PORT/DATABASE, or rediss:// with TLS. "
    "$BOARDROOM_REDIS_PASSWORD holds the password, $BOARDROOM_REDIS_CA a certificate authority (PEM).",
)
@click.option("--adapters-url", help="URL of the adapters service beside LoRAX (`boardroom adapters serve`).")
@click.option(
    "--file",
    type=click.Path(exists=True, path_type=Path),
    help="Standalone: read the board from this YAML or JSON file, or from the files of a directory, instead of a "
    "cluster. Changes are read at once.",
)
@click.option(
    "--adapters-root",
    type=click.Path(path_type=Path),
    help="Standalone: the directory in place of spec.adapters.mountPath.",
)
@click.option(
    "--auth",
    default="None",
    show_default=True,
    type=click.Choice(["None", "ApiKey", "Kubernetes"], case_sensitive=False),
    help="Who may ask. None: everyone. ApiKey: holders of one of --api-keys. Kubernetes: tokens that may create "
    "boardrooms/ask.",
)
@click.option(
    "--auth-stale-if-error",
    default=STALE_IF_ERROR_SECONDS,
    show_default=True,
    type=click.IntRange(0, 86400),
    help="Kubernetes: seconds for which an allowed token stays allowed while the API server does not answer.",
)
@click.option(
    "--api-keys",
    type=click.Path(path_type=Path),
    help="ApiKey: a file with one key per line, or a directory of such files. Changes are read at once.",
)
@click.option(
    "--cors-origin",
    "cors_origins",
    multiple=True,
    metavar="ORIGIN",
    help="Web pages of this origin (scheme://host[:port]) may ask from a browser. Repeatable. Unset: none.",
)
@click.option(
    "--address",
    help="In a cluster: address for the board's other coordinators (the pod's IP). Unset: --host.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=COORDINATOR_PORT, show_default=True, help="Port of the API.")
@click.option("--metrics-port", default=COORDINATOR_METRICS_PORT, show_default=True, help="Port of probes and metrics.")
@click.option(
    "--max-in-flight",
    default=256,
    show_default=True,
    type=click.IntRange(1),
    help="Most concurrent questions. Further ones get 429.",
)
@click.option(
    "--log-level",
    default="INFO",
    show_default=True,
    type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR"], case_sensitive=False),
    help="Lowest level that is logged (JSON lines on standard output).",
)
def coordinator(
    *,
    board: str | None,
    namespace: str,
    lorax_url: str | None,
    lorax_service: str | None,
    standard_url: str | None,
    standard_model: str,
    redis_url: str | None,
    adapters_url: str | None,
    file: Path | None,
    adapters_root: Path | None,
    auth: AuthMode,
    auth_stale_if_error: int,
    api_keys: Path | None,
    cors_origins: tuple[str, ...],
    address: str | None,
    host: str,
    port: int,
    metrics_port: int,
    max_in_flight: int,
    log_level: str,
) -> None:
    """Serve one board: answer questions by its members through LoRAX, in one batch, and write the board's status.

    In a cluster a watch on BoardAgents finds the members. With --file they come from a YAML file, and no status is
    written. On SIGTERM questions in flight finish.
    """
    from boardroom.coordinator.main import Options, start
    from boardroom.telemetry.logs import configure
    from boardroom.telemetry.span import TracingError
    from boardroom.telemetry.tracing import tracer

    if file is None and board is None:
        raise click.UsageError("give --board (and --namespace), or --file")
    if standard_url is not None and not standard_model:
        raise click.UsageError("--standard-url needs --standard-model")
    if file is None and adapters_root is not None:
        raise click.UsageError("--adapters-root needs --file: in a cluster spec.adapters.mountPath is the root")
    if lorax_service is not None and (file is not None or lorax_url is not None):
        raise click.UsageError("--lorax-service needs a cluster: leave --file and --lorax-url out")
    if (auth == "ApiKey") != (api_keys is not None):
        raise click.UsageError("--auth ApiKey and --api-keys need each other")
    if file is not None and auth == "Kubernetes":
        raise click.UsageError("--auth Kubernetes needs a cluster: with --file use --auth ApiKey")
    try:
        options = Options(
            board=board,
            namespace=namespace,
            defaults=Defaults.from_env(os.environ),
            lorax_url=lorax_url,
            lorax_service=lorax_service,
            standard_url=standard_url,
            standard_model=standard_model,
            standard_api_key=secret(os.environ, STANDARD_API_KEY),
            redis_url=redis_url,
            redis_password=secret(os.environ, REDIS_PASSWORD),
            redis_ca=os.environ.get(REDIS_CA, ""),
            adapters_url=adapters_url,
            address=_address(address or host, metrics_port),
            file=file,
            adapters_root=str(adapters_root.absolute()) if adapters_root else None,
            max_in_flight=max_in_flight,
            tracer=tracer(os.environ, "boardroom-coordinator", _resource(board, namespace)),
            auth=auth,
            auth_stale_seconds=auth_stale_if_error,
            cors=_cors(cors_origins),
            api_keys=api_keys.absolute() if api_keys else None,
        )
        configure(log_level, quote_exceptions=False)
        uvloop.run(start(options, host=host, port=port, metrics_port=metrics_port))
    except (ManifestError, SettingsError, TracingError, OSError) as error:
        raise click.ClickException(str(error)) from error


def _cors(origins: tuple[str, ...]) -> CorsSpec:
    try:
        return CorsSpec(allow_origins=origins)
    except ValidationError as error:
        at = int(error.errors()[0]["loc"][1])
        raise click.UsageError(
            f"--cors-origin {origins[at]}: give an origin as browsers send it: scheme://host or scheme://host:port"
        ) from error


def _resource(board: str | None, namespace: str) -> dict[str, str]:
    """Resource attributes of this process's spans."""
    return {"boardroom.board": board, "k8s.namespace.name": namespace} if board else {}


def secret(environ: Mapping[str, str], name: str) -> str:
    """A Secret's value without the newline at its end, which a Secret made from a file has."""
    return environ.get(name, "").rstrip("\r\n")


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
