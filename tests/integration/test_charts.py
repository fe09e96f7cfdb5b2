"""The charts, by both versions of Helm, for each values file in ci/; what they make is taken by a real API server."""

import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from boardroom.cli.kubectl import Kubectl
from boardroom.cluster import build
from boardroom.cluster.controlplane import ControlPlane
from integration import openapi_schemas
from integration.foreign_crds import PROMETHEUS_RULE, SERVICE_MONITOR
from integration.kube_api import KubeApi
from tools.helm import CHARTS, Helm, HelmError
from tools.programs import tool
from tools.waiting import until

BASE = CHARTS.parent / "manifests" / "base"
CASES = [
    pytest.param(file.parents[1].name, file, id=f"{file.parents[1].name}-{file.stem}")
    for file in sorted(CHARTS.glob("*/ci/*.yaml"))
]
ADDED_BY_HELM = {
    "app.kubernetes.io/instance",
    "app.kubernetes.io/managed-by",
    "app.kubernetes.io/version",
    "helm.sh/chart",
    "helm.sh/resource-policy",
}


@pytest.fixture(scope="session")
def helm4(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    return Helm.of("helm4", tmp_path_factory.mktemp("helm4"))


@pytest.fixture(scope="session")
def helm3(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    return Helm.of("helm3", tmp_path_factory.mktemp("helm3"))


def _served(kube: KubeApi, path: str) -> bool:
    return kube.http.get(path).is_success


@pytest.fixture(scope="module")
def with_monitoring(apiserver: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> ControlPlane:
    """The API server with the kinds of the Prometheus operator, which charts may be asked for."""
    with KubeApi(apiserver.kubeconfig, apiserver.server) as kube:
        for foreign in (SERVICE_MONITOR, PROMETHEUS_RULE):
            crd = foreign.load(tmp_path_factory.mktemp("crd"))
            root = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
            kube.apply(f"{root}/{crd['metadata']['name']}", crd).raise_for_status()
            served = f"/apis/{crd['spec']['group']}/v1/{crd['spec']['names']['plural']}"
            until(f"{served} is served", partial(_served, kube, served))
    return apiserver


@pytest.fixture(scope="module")
def schemas(with_monitoring: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("schemas")
    with KubeApi(with_monitoring.kubeconfig, with_monitoring.server) as kube:
        until("the CRDs are described", lambda: _described(kube))
        openapi_schemas.write(kube.http, folder)
    return folder


@pytest.mark.parametrize(("chart", "values"), CASES)
def test_both_versions_of_helm_lint_it_and_render_the_same(helm4: Helm, helm3: Helm, chart: str, values: Path) -> None:
    for helm in (helm4, helm3):
        helm.run("lint", "--strict", str(CHARTS / chart), "--values", str(values))
    rendered = [helm.template(chart, "--values", str(values)) for helm in (helm4, helm3)]
    assert sorted(rendered[0], key=_identity) == sorted(rendered[1], key=_identity)


def test_names_that_look_like_numbers_stay_names(helm4: Helm) -> None:
    """`--namespace 123` is a namespace, and `12345` a release."""
    objects: list[dict[str, Any]] = []
    for chart, value in (("boardroom-operator", "serviceAccount.name=789"), ("boardroom", "name=true")):
        values = ("--values", str(CHARTS / chart / "ci" / "everything.yaml"), "--set-string", value)
        only = ("--set-json", 'watchNamespaces=["456"]') if chart == "boardroom-operator" else ()
        objects += helm4.template(chart, *values, *only, release="12345", namespace="123")
    metadata = [obj["metadata"] for obj in objects]
    assert {type(value) for data in metadata for value in [data["name"], data.get("namespace", "")]} == {str}
    assert {type(value) for data in metadata for value in data.get("labels", {}).values()} == {str}
    subjects = [subject for obj in objects for subject in obj.get("subjects", ())]
    assert {(subject["name"], subject["namespace"]) for subject in subjects} == {("789", "123")}


@pytest.mark.parametrize(("namespaces", "told"), [("null", "boards"), ('["one", "two"]', "one")])
def test_the_notes_name_a_namespace_for_the_first_board(helm4: Helm, namespaces: str, told: str) -> None:
    named = ("--set", "image.repository=r.example/x", "--set-json", f"watchNamespaces={namespaces}")
    notes = helm4.run("install", "x", str(CHARTS / "boardroom-operator"), "--dry-run=client", "--hide-secret", *named)
    assert f"charts/boardroom --namespace {told} --create-namespace" in notes


def test_helm_test_reaches_metrics_that_only_some_may_read(helm4: Helm) -> None:
    peers = 'networkPolicy.metricsFrom=[{"podSelector": {"matchLabels": {"app": "prometheus"}}}]'
    objects = helm4.template("boardroom-operator", "--set", "image.repository=r.example/x", "--set-json", peers)
    (policy,) = (obj for obj in objects if obj["kind"] == "NetworkPolicy")
    (test,) = (obj for obj in objects if obj["kind"] == "Pod")
    selectors = [peer["podSelector"]["matchLabels"] for peer in policy["spec"]["ingress"][0]["from"]]
    assert selectors == [{"app": "prometheus"}, test["metadata"]["labels"]]


@pytest.mark.parametrize(("chart", "values"), CASES)
def test_kubeconform_finds_no_unknown_field(helm4: Helm, schemas: Path, chart: str, values: Path) -> None:
    done = _kubeconform(schemas, helm4.template(chart, "--values", str(values)))
    assert done.returncode == 0, done.stdout + done.stderr


def test_kubeconform_would_find_one(schemas: Path) -> None:
    done = _kubeconform(
        schemas, [{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": {"portz": []}}]
    )
    assert done.returncode == 1
    assert "additional properties 'portz' not allowed" in done.stdout


@pytest.mark.parametrize(("chart", "values"), CASES)
def test_a_real_api_server_takes_it(
    helm4: Helm, with_monitoring: ControlPlane, kube: KubeApi, chart: str, values: Path
) -> None:
    rendered = helm4.template(chart, "--values", str(values), namespace=kube.namespace)
    kubectl = Kubectl(program=str(build.program("kubectl")), kubeconfig=str(with_monitoring.kubeconfig))
    for obj in rendered:
        if obj["kind"] == "ServiceAccount":  # without it no pod is taken, not even for a try
            kube.create(obj)
    flags = ("--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "-o", "name", "-f", "-")
    taken = kubectl.run("apply", *flags, stdin=yaml.safe_dump_all(rendered)).split()
    assert len(taken) == len(rendered)


def test_plain_manifests_are_the_operators_chart_with_its_default_values(helm4: Helm) -> None:
    given = ("--set", "image.repository=boardroom-operator", "--no-hooks")
    chart = helm4.template("boardroom-operator", *given, namespace="boardroom-system")
    kubectl = Kubectl(program=str(build.program("kubectl")))
    base = list(yaml.safe_load_all(kubectl.run("kustomize", str(BASE))))
    (namespace,) = [obj for obj in base if obj["kind"] == "Namespace"]  # a chart's release has none
    base.remove(namespace)
    wanted, found = ({_identity(obj): _plain(obj) for obj in objects} for objects in (base, chart))
    assert set(found) == set(wanted)
    for identity, obj in wanted.items():
        assert found[identity] == obj, identity


@pytest.mark.parametrize(
    ("chart", "flag", "said"),
    [
        ("boardroom-operator", "image.repo=x", "at '/image': additional properties 'repo' not allowed"),
        (
            "boardroom-operator",
            "image.repository=r.example/x:0.1.0",
            "at '/image/repository': 'r.example/x:0.1.0' does",
        ),
        (
            "boardroom-operator",
            "image.repository=r.example:5000/a/X",
            "at '/image/repository': 'r.example:5000/a/X' does",
        ),
        ("boardroom-operator", "replicas=0", "at '/replicas': minimum: got 0, want 1"),
        ("boardroom-operator", "defaults.AOS_MAX_MEMBERS=many", "at '/defaults/AOS_MAX_MEMBERS': got string"),
        ("boardroom-operator", "logLevel=info", "image.repository: give the registry and name"),
        ("boardroom", "spec.lorax.gpu.cout=1", "at '/spec/lorax/gpu': additional properties 'cout' not allowed"),
        ("boardroom", "members.ceo.veto=maybe", "at '/members/ceo/veto': got string, want boolean"),
        ("boardroom", "members.clo.domains={legal}", "at '/members/clo': missing property 'role'"),
        ("boardroom", "members.CLO.role=CLO", "at '/members': additional properties 'CLO' not allowed"),
        (
            "boardroom",
            "labels.app\\.kubernetes\\.io/name=x",
            "labels: app.kubernetes.io/name: the chart sets this label",
        ),
        *(
            ("boardroom-operator", f"image.repository=x,{flag}", f"{label}: the chart sets this label itself")
            for flag, label in (
                ("podLabels.app\\.kubernetes\\.io/name=x", "app.kubernetes.io/name"),
                ("commonLabels.helm\\.sh/chart=x", "helm.sh/chart"),
                (
                    "metrics.rules.enabled=true,metrics.rules.labels.app\\.kubernetes\\.io/instance=x",
                    "app.kubernetes.io/instance",
                ),
            )
        ),
        ("boardroom", "name=Executive", "at '/name': 'Executive' does not match pattern"),
    ],
)
def test_a_bad_value_is_named_before_anything_is_installed(helm4: Helm, chart: str, flag: str, said: str) -> None:
    with pytest.raises(HelmError) as refused:
        helm4.template(chart, "--set", flag)
    assert said in str(refused.value)


def test_of_labels_that_are_given_twice_the_nearer_one_is_set_once(helm4: Helm) -> None:
    part = r"app\.kubernetes\.io/part-of"
    given = f"image.repository=x,commonLabels.{part}=platform,commonLabels.release=a,podLabels.{part}=pods"
    monitored = "metrics.serviceMonitor.enabled=true,metrics.serviceMonitor.labels.release=b"
    text = helm4.run("template", "x", str(CHARTS / "boardroom-operator"), "--set", f"{given},{monitored}")
    rendered = [obj for obj in yaml.load_all(text, Loader=_NoKeyTwice) if obj]
    found = {obj["kind"]: obj for obj in rendered}
    assert [found[kind]["metadata"]["labels"]["release"] for kind in ("Service", "ServiceMonitor")] == ["a", "b"]
    deployment = found["Deployment"]
    pods = deployment["spec"]["template"]["metadata"]["labels"]
    parts = [labels["app.kubernetes.io/part-of"] for labels in (deployment["metadata"]["labels"], pods)]
    assert parts == ["platform", "pods"]


class _NoKeyTwice(yaml.SafeLoader):
    """Refuses what YAML forbids and its libraries take."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key) for key, _ in node.value]
        assert len(keys) == len(set(keys)), f"{node.start_mark}: a key twice among {keys}"
        return super().construct_mapping(node, deep)


def test_a_member_of_the_defaults_can_be_taken_off_and_another_added(helm4: Helm, helm3: Helm) -> None:
    for helm in (helm4, helm3):
        rendered = helm.template("boardroom", "--set", "members.cmo=null,members.clo.role=CLO")
        roles = sorted(obj["spec"]["role"] for obj in rendered if obj["kind"] == "BoardAgent")
        assert roles == ["CEO", "CFO", "CLO", "COO", "CTO"]


def test_the_default_board_is_the_example(helm4: Helm) -> None:
    example = CHARTS.parent / "manifests" / "examples" / "executive-board.yaml"
    wanted = list(yaml.safe_load_all(example.read_text(encoding="utf-8")))
    wanted[0]["spec"].pop("lorax")  # says its default aloud
    rendered = helm4.template("boardroom", "--set", "name=executive")
    specs = [{_role(obj): obj["spec"] for obj in objects} for objects in (rendered, wanted)]
    assert specs[0] == specs[1]


def _described(kube: KubeApi) -> bool:
    page = kube.http.get("/openapi/v3/apis/monitoring.coreos.com/v1")
    return page.is_success and all(kind in page.text for kind in ('"PrometheusRule"', '"ServiceMonitor"'))


def _kubeconform(schemas: Path, objects: list[dict[str, Any]]) -> subprocess.CompletedProcess[str]:
    command = [str(tool("kubeconform")), "-strict", "-schema-location", f"{schemas}/{openapi_schemas.LOCATION}"]
    text = yaml.safe_dump_all(objects)
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False)


def _identity(obj: dict[str, Any]) -> tuple[str, str, str]:
    return obj["kind"], obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def _role(obj: dict[str, Any]) -> str:
    """The role of a BoardAgent; a Boardroom has none."""
    return str(obj["spec"].get("role"))


def _plain(node: Any) -> Any:
    """Without what Helm says of itself, and what is empty then."""
    if isinstance(node, list):
        return [_plain(each) for each in node]
    if not isinstance(node, dict):
        return node
    kept = {key: _plain(value) for key, value in node.items() if key not in ADDED_BY_HELM}
    return {key: value for key, value in kept.items() if not (key == "annotations" and value == {})}


def test_both_pages_of_each_board_are_scraped_and_know_the_board(helm4: Helm) -> None:
    rendered = helm4.template("boardroom-operator", "--values", str(CHARTS / "boardroom-operator/ci/everything.yaml"))
    monitors = [obj for obj in rendered if obj["kind"] == "ServiceMonitor"]
    [endpoints] = [m["spec"]["endpoints"] for m in monitors if m["metadata"]["name"].endswith("-boards")]
    labels = [one["relabelings"][0]["targetLabel"] for one in endpoints]
    assert [one["path"] for one in endpoints] == ["/metrics", "/metrics/lorax"]
    assert labels == ["board", "board"]


def test_alerts_lead_to_the_runbooks_where_they_are_kept(helm4: Helm) -> None:
    rendered = helm4.template("boardroom-operator", "--values", str(CHARTS / "boardroom-operator/ci/everything.yaml"))
    groups = [group for obj in rendered if obj["kind"] == "PrometheusRule" for group in obj["spec"]["groups"]]
    alerts = [rule for group in groups for rule in group["rules"] if "alert" in rule]
    elsewhere = [
        a for a in alerts if a["annotations"]["runbook_url"] != f"https://wiki.example.com/boardroom/{a['alert']}.md"
    ]
    assert (bool(alerts), elsewhere) == (True, [])
