"""docs/reference/rights.md says of rights and ports what the manifests and the plan say."""

import re
from collections.abc import Iterator

import yaml

from boardroom.controller.plan import network, rbac
from boardroom.kube.kinds import Object
from tools.pages import ROOT
from unit.controller.objects import blueprint

PAGE = (ROOT / "docs/reference/rights.md").read_text(encoding="utf-8")
BASE = ROOT / "manifests/base"
PLAN = blueprint(members=("member",))
WHO = {
    "ClusterRole boardroom-operator": "operator",
    "Role boardroom-operator-lease": "operator, in its own namespace",
    "ClusterRole boardroom-coordinator-auth": "coordinator, cluster-wide",
    "ClusterRole boardroom-viewer": "`boardroom-viewer`, part of `view`, `edit`, `admin`",
    "ClusterRole boardroom-editor": "`boardroom-editor`, part of `edit`, `admin`",
    "ClusterRole boardroom-user": "`boardroom-user`, part of `edit`, `admin`",
    "Role executive-coordinator": "coordinator",
    "Role executive-client": "`BOARD-client`",
}


def test_the_table_of_rights_is_the_rules_that_there_are() -> None:
    table = PAGE.split("## What each part may do")[1].split("\n## ")[0]
    rows = [line.removeprefix("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")]
    assert {" | ".join(row[:4]) for row in rows[1:]} == set(rules())


def test_whose_part_a_role_is_stands_beside_it() -> None:
    for role in roles():
        labels = role["metadata"]["labels"]
        parts = {name.rsplit("-", 1)[1] for name in labels if "aggregate-to-" in name}
        said = WHO[f"{role['kind']} {role['metadata']['name']}"]
        assert set(re.findall(r"`(view|edit|admin)`", said)) == parts


def test_the_ports_of_the_table_are_those_of_the_policies() -> None:
    table = PAGE.split("## What each pod may reach")[1].split("\n## ")[0]
    _head, lorax, coordinator, operator = (line.split(" | ") for line in table.splitlines() if line.startswith("| "))
    policy = network.lorax_policy(PLAN)
    assert policy is not None
    assert numbers(lorax[2]) == ports(policy["spec"]["ingress"])
    assert numbers(lorax[3]) == ports(policy["spec"]["egress"])
    answering = network.coordinator_policy(PLAN)["spec"]
    assert (numbers(coordinator[2]), answering["policyTypes"]) == (ports(answering["ingress"]), ["Ingress"])
    own = yaml.safe_load((BASE / "networkpolicy.yaml").read_text(encoding="utf-8"))["spec"]
    deployment = yaml.safe_load((BASE / "deployment.yaml").read_text(encoding="utf-8"))
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert own["policyTypes"] == ["Ingress"]
    assert {port for rule in own["ingress"] for port in (p["port"] for p in rule["ports"])} == {
        port["name"] for port in container["ports"]
    }
    assert numbers(operator[2]) == {port["containerPort"] for port in container["ports"]}


def roles() -> Iterator[Object]:
    for document in yaml.safe_load_all((BASE / "rbac.yaml").read_text(encoding="utf-8")):
        if "rules" in document:
            yield document
    client = rbac.client_role(PLAN)
    assert client is not None
    yield from (rbac.role(PLAN), client)


def rules() -> Iterator[str]:
    for role in roles():
        who = WHO[f"{role['kind']} {role['metadata']['name']}"]
        for rule in role["rules"]:
            named = ", ".join(rule.get("resourceNames", ())).replace("executive", "BOARD").replace("member", "MEMBER")
            (group,) = rule["apiGroups"]
            resources = ", ".join(rule["resources"]) + (f" named {named}" if named else "")
            yield " | ".join((who, group or "core", resources, ", ".join(rule["verbs"])))


def numbers(cell: str) -> set[int]:
    return {int(number) for number in re.findall(r"\b\d{2,}\b", cell)}


def ports(rules: list[Object]) -> set[int]:
    return {port["port"] for rule in rules for port in rule["ports"]}
