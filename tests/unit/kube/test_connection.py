"""Where the API server is, by which identity it is asked, and through which proxy."""

import asyncio
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config.incluster_config import InClusterConfigLoader

from boardroom.kube.connection import Connection, ConnectionConfigError

SERVER = "https://api.example:6443"


def proxy(server: str, *, given: str | None = None) -> str | None:
    configuration = Configuration(host=server)
    configuration.proxy = given
    found: str | None = Connection(configuration).configuration.proxy
    return found


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    monkeypatch.setenv("NO_PROXY", "10.96.0.1,.svc")


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        (SERVER, "http://proxy:3128"),
        ("https://10.96.0.1:443", None),
        ("https://kubernetes.default.svc", None),
        ("http://127.0.0.1:8001", None),
    ],
)
def test_the_environments_proxy_is_used_where_it_does_not_except_the_server(server: str, expected: str | None) -> None:
    assert proxy(server) == expected


def test_the_kubeconfigs_own_proxy_comes_first() -> None:
    assert proxy(SERVER, given="http://other:1") == "http://other:1"


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    user = {"name": "u", "user": {"token": "from-file"}}
    cluster = {"name": "c", "cluster": {"server": "http://from-kubeconfig:1"}}
    context = {"name": "x", "context": {"cluster": "c", "user": "u"}}
    body = {"clusters": [cluster], "users": [user], "contexts": [context], "current-context": "x"}
    path = tmp_path / "kubeconfig"
    path.write_bytes(orjson.dumps({"apiVersion": "v1", "kind": "Config"} | body))
    return path


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of the ServiceAccount's token in a pod."""
    token, certificate = tmp_path / "token", tmp_path / "ca.crt"
    token.write_text("first")
    certificate.write_text("certificate")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    monkeypatch.delenv("KUBECONFIG", raising=False)
    loader = InClusterConfigLoader(str(token), str(certificate))
    loader._token_refresh_period = timedelta(0)  # a minute in real life
    monkeypatch.setattr("boardroom.kube.connection.load_incluster_config", loader.load_and_set)
    return token


async def opened(kubeconfig: Path | None = None) -> Configuration:
    connection = await Connection.open(kubeconfig)
    await connection.close()
    return connection.configuration


async def test_in_a_pod_the_service_account_is_used(pod: Path) -> None:
    configuration = await opened()
    assert (configuration.host, configuration.ssl_ca_cert) == ("https://10.96.0.1:443", str(pod.parent / "ca.crt"))


async def test_a_rotated_token_is_read_again(pod: Path) -> None:
    configuration = await opened()
    await asyncio.to_thread(pod.write_text, "second")
    assert (await configuration.auth_settings())["BearerToken"]["value"] == "bearer second"


async def test_a_kubeconfig_comes_before_the_pods_service_account(pod: Path, kubeconfig: Path) -> None:
    assert (await opened(kubeconfig)).host == "http://from-kubeconfig:1"


async def test_without_any_way_the_remedy_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(ConnectionConfigError, match="give --kubeconfig, set KUBECONFIG, or run inside a cluster"):
        await Connection.open(tmp_path / "none")
