"""Makes a coordinator from its options: standalone from a file, or live in a cluster."""

from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client import disable_created_metrics

from boardroom.api.coordinator import STALE_IF_ERROR_SECONDS, AuthMode, CorsSpec
from boardroom.api.meta import COORDINATOR_MANAGER
from boardroom.api.settings import Defaults
from boardroom.coordinator.auth.bearer import Authenticator
from boardroom.coordinator.auth.keys import ApiKeys
from boardroom.coordinator.auth.reviews import Reviews
from boardroom.coordinator.backends.endpoints import GivenEndpoint, ServiceEndpoints
from boardroom.coordinator.board.sources import FileSource, LiveSource, Source
from boardroom.coordinator.changes import Changes
from boardroom.coordinator.conversations.store import Store
from boardroom.coordinator.coordinator import MAX_IN_FLIGHT, Coordinator
from boardroom.coordinator.errors import NotReady
from boardroom.coordinator.http.server import run
from boardroom.coordinator.peers.age import process_age
from boardroom.coordinator.peers.membership import Peers
from boardroom.engine.openai.driver import StandardEngine
from boardroom.kube.client import KubeClient
from boardroom.kube.connection import Connection, ConnectionConfigError
from boardroom.telemetry.tracing import OFF, Tracer


@dataclass(frozen=True, kw_only=True)
class Options:
    """The options of a coordinator. With `file` it is standalone, else `board` is required."""

    board: str | None = None
    namespace: str = "default"
    defaults: Defaults = field(default_factory=Defaults)
    lorax_url: str | None = None
    lorax_service: str | None = None
    """In a cluster: the Service whose pods are the LoRAX servers, instead of the server at `lorax_url`."""
    standard_url: str | None = None
    standard_model: str = ""
    standard_api_key: str = field(default="", repr=False)
    redis_url: str | None = None
    redis_password: str = field(default="", repr=False)
    redis_ca: str = ""
    adapters_url: str | None = None
    address: str = ""
    """In a cluster: host:port at which the board's other coordinators reach the metrics port."""
    file: Path | None = None
    adapters_root: str | None = None
    max_in_flight: int = MAX_IN_FLIGHT
    auth: AuthMode = "None"
    auth_stale_seconds: int = STALE_IF_ERROR_SECONDS
    tracer: Tracer = OFF
    cors: CorsSpec = field(default_factory=CorsSpec)
    api_keys: Path | None = None
    """A file or a directory of API keys; required with ApiKey."""


def standalone(options: Options, file: Path) -> Coordinator:
    """Makes the coordinator of a board in a file; raises ManifestError and OSError."""
    changes = Changes()
    source = FileSource(file, options.board, options.defaults, options.adapters_root, changes)
    source.load()
    return Coordinator(
        source,
        changes,
        endpoints=_given(options),
        standard=_standard(options),
        store=_store(options, source),
        max_in_flight=options.max_in_flight,
        tracer=options.tracer,
    )


def live(options: Options, kube: KubeClient) -> Coordinator:
    """Makes the coordinator of a board in the cluster."""
    changes = Changes()
    source = LiveSource(kube, options.board or "", options.namespace, options.defaults, changes)
    service = options.lorax_service
    return Coordinator(
        source,
        changes,
        endpoints=ServiceEndpoints(kube, options.namespace, service, changes) if service else _given(options),
        standard=_standard(options),
        kube=kube,
        store=_store(options, source),
        peers=lambda pool, on_started_leading: Peers(
            kube,
            options.board or "",
            options.namespace,
            options.address,
            pool=pool,
            changes=changes,
            on_started_leading=on_started_leading,
            age=process_age(),
        ),
        max_in_flight=options.max_in_flight,
        tracer=options.tracer,
    )


async def start(options: Options, *, host: str, port: int, metrics_port: int) -> None:
    """Serve until SIGTERM; raises ManifestError and OSError."""
    disable_created_metrics()
    async with AsyncExitStack() as stack:
        kube = None if options.file else await _connect(stack)
        coordinator = live(options, kube) if kube else standalone(options, options.file or Path())
        await run(
            coordinator,
            _authenticator(options, kube),
            origins=options.cors.as_sent,
            host=host,
            port=port,
            metrics_port=metrics_port,
        )


async def _connect(stack: AsyncExitStack) -> KubeClient:
    """The client of the API server until the stack ends; raises OSError."""
    try:
        connection = await Connection.open()
    except ConnectionConfigError as error:
        raise OSError(f"no way to the API server: {error}") from error
    stack.push_async_callback(connection.close)
    kube = KubeClient(connection.configuration, COORDINATOR_MANAGER)
    stack.push_async_callback(kube.close)
    return kube


def _authenticator(options: Options, kube: KubeClient | None) -> Authenticator | None:
    """Makes the authenticator that decides who may ask; None lets everybody ask."""
    if options.auth == "None":
        return None
    if options.auth == "ApiKey" and options.api_keys:
        return ApiKeys(options.api_keys)
    if options.auth == "Kubernetes" and kube and options.board:
        return Reviews(kube, options.board, options.namespace, stale_seconds=options.auth_stale_seconds)
    raise OSError(f"--auth {options.auth}: the options that it needs are missing")


def _given(options: Options) -> GivenEndpoint | None:
    return GivenEndpoint(options.lorax_url, options.adapters_url) if options.lorax_url else None


def _standard(options: Options) -> StandardEngine | None:
    if options.standard_url is None:
        return None
    return StandardEngine(options.standard_url, options.standard_model, options.standard_api_key)


def _store(options: Options, source: Source) -> Store | None:
    """Makes the store of conversations; None is the coordinator's memory. Raises OSError for an invalid URL."""
    if options.redis_url is None:
        return None
    # its client takes half a second to import, OpenTelemetry included
    from boardroom.coordinator.conversations.redis_store import RedisStore, connect  # noqa: PLC0415

    try:
        client = connect(options.redis_url, options.redis_password, options.redis_ca)
    except ValueError as error:
        raise OSError(f"--redis-url {options.redis_url}: {error}") from error

    def scope() -> str:
        """Begins the keys. A board that is made anew under the same name has a uid, and so keys, of its own."""
        roster = source.roster
        if roster is None:
            raise NotReady(source.problem)
        return f"{roster.namespace}/{roster.board}/{roster.uid}"

    return RedisStore(client, scope)
