"""`boardroom operator`: the controller that runs in the cluster."""

import os
from pathlib import Path

import click

from boardroom.api.meta import OPERATOR_HEALTH_PORT, OPERATOR_METRICS_PORT


@click.command()
@click.option(
    "--namespace",
    "namespaces",
    multiple=True,
    envvar="BOARDROOM_NAMESPACES",
    metavar="NS",
    help="Watch only this namespace. Repeatable. Default: all.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to serve probes and metrics on.")
@click.option(
    "--metrics-port", type=click.IntRange(0, 65535), default=OPERATOR_METRICS_PORT, show_default=True, help="/metrics."
)
@click.option(
    "--health-port",
    type=click.IntRange(0, 65535),
    default=OPERATOR_HEALTH_PORT,
    show_default=True,
    help="/healthz and /readyz.",
)
@click.option(
    "--workers", type=click.IntRange(1, 64), default=8, show_default=True, help="Boards reconciled concurrently."
)
@click.option(
    "--resync-seconds",
    type=click.FloatRange(min=1),
    default=600,
    show_default=True,
    help="Interval of full lists, for changes that no watch reports.",
)
@click.option(
    "--watch-grace-seconds",
    type=click.FloatRange(min=1),
    default=120,
    show_default=True,
    help="Seconds for which a watch may miss changes of a list before /healthz fails.",
)
@click.option(
    "--rollouts-at-once",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    envvar="BOARDROOM_ROLLOUTS_AT_ONCE",
    help="Boards whose pods are replaced at the same time after a change of the operator's version or AOS_* defaults.",
)
@click.option(
    "--lease-namespace",
    envvar="POD_NAMESPACE",
    metavar="NS",
    help="Namespace of the Lease for leader election [env POD_NAMESPACE]. Unset: no election; run one operator only.",
)
@click.option(
    "--takeover-seconds",
    type=click.FloatRange(min=1),
    default=60,
    show_default=True,
    help="Seconds without holder of another operator's Lease before this operator takes over its boards.",
)
@click.option(
    "--kubeconfig",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Default: KUBECONFIG, else the pod's service account.",
)
@click.option("--context", help="Context of the kubeconfig.")
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="JSON lines on standard output.",
)
def operator(
    *,
    namespaces: tuple[str, ...],
    host: str,
    metrics_port: int,
    health_port: int,
    workers: int,
    resync_seconds: float,
    watch_grace_seconds: float,
    rollouts_at_once: int,
    lease_namespace: str | None,
    takeover_seconds: float,
    kubeconfig: Path | None,
    context: str | None,
    log_level: str,
) -> None:
    """Turn Boardrooms and BoardAgents into running boards.

    Defaults for boards come from the environment: AOS_ENABLE_LORAX, AOS_LORAX_IMAGE, AOS_LORAX_PORT,
    AOS_LORAX_ADAPTER_CACHE_SIZE, AOS_LORAX_MAX_CONCURRENT_REQUESTS, AOS_MAX_MEMBERS. Coordinators run from
    BOARDROOM_IMAGE (BOARDROOM_IMAGE_PULL_POLICY), or else from the image of the pod that the operator runs in.
    """
    import uvloop

    from boardroom.api.settings import Defaults, SettingsError
    from boardroom.controller.main import run
    from boardroom.controller.options import Options
    from boardroom.controller.own_image import StartError
    from boardroom.controller.watch.informer import NamespaceAppearedError
    from boardroom.kube.connection import ConnectionConfigError
    from boardroom.kube.election import LeadershipLostError
    from boardroom.kube.errors import KubeError
    from boardroom.telemetry.logs import configure

    configure(log_level)
    try:
        options = Options(
            defaults=Defaults.from_env(os.environ),
            namespaces=namespaces,
            kubeconfig=kubeconfig,
            context=context,
            host=host,
            metrics_port=metrics_port,
            health_port=health_port,
            workers=workers,
            resync_seconds=resync_seconds,
            watch_grace_seconds=watch_grace_seconds,
            rollouts_at_once=rollouts_at_once,
            lease_namespace=lease_namespace,
            takeover_seconds=takeover_seconds,
        )
        uvloop.run(run(options, os.environ))
    except (SettingsError, StartError, ConnectionConfigError, KubeError, OSError) as error:
        raise click.ClickException(str(error)) from error
    except (LeadershipLostError, NamespaceAppearedError) as error:
        raise click.ClickException(str(error)) from error
