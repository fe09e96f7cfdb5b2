"""The loader Job: restricted, near LoRAX, with a writable volume, and owned by the board."""

import pytest

from boardroom.controller.plan import loader, lorax
from boardroom.kube.kinds import Object
from unit.controller.objects import IMAGE, blueprint

CLAIM = {"persistentVolumeClaim": {"claimName": "board-adapters"}}


def pod(*, beside_lorax: bool = False, lorax_spec: Object | None = None, volume: Object = CLAIM) -> Object:
    plan = blueprint(adapters={"volume": volume}, lorax=lorax_spec or {})
    found: Object = loader.job(plan, beside_lorax=beside_lorax)["spec"]["template"]["spec"]
    return found


def test_it_goes_with_the_board_and_nobody_controls_it() -> None:
    metadata = loader.job(blueprint(adapters={"volume": CLAIM}), beside_lorax=False)["metadata"]
    (owner,) = metadata["ownerReferences"]
    assert (metadata["generateName"], "name" in metadata) == ("executive-adapters-", False)
    assert (owner["uid"], set(owner)) == ("board-uid", {"apiVersion", "kind", "name", "uid"})


def test_its_container_is_restricted_and_bounded_by_the_boards_rules() -> None:
    plan = blueprint(adapters={"volume": CLAIM, "maxSize": "1Gi", "mountPath": "/lora"})
    found = loader.job(plan, beside_lorax=False)["spec"]["template"]["spec"]
    (container,) = found["containers"]
    assert found["automountServiceAccountToken"] is False
    assert container["image"] == IMAGE.name
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    words = container["args"]
    assert words[words.index("--root") + 1] == "/lora"
    assert words[words.index("--max-bytes") + 1] == str(1 << 30)
    assert container["volumeMounts"] == [{"name": "adapters", "mountPath": "/lora"}]


@pytest.mark.parametrize(
    ("volume", "expected"),
    [
        (CLAIM, CLAIM),
        ({"nfs": {"server": "nas", "path": "/lora"}}, {"nfs": {"server": "nas", "path": "/lora"}}),
        ({"csi": {"driver": "d"}}, {"csi": {"driver": "d"}}),
    ],
)
def test_the_volume_is_the_boards_and_writable(volume: Object, expected: Object) -> None:
    assert pod(volume=volume)["volumes"] == [{"name": "adapters", **expected}]


def test_it_goes_where_lorax_could_but_takes_no_gpu() -> None:
    spec = {"nodeSelector": {"pool": "gpu"}, "tolerations": [{"key": "gpu", "operator": "Exists"}]}
    found = pod(lorax_spec=spec)
    assert (found["nodeSelector"], found["tolerations"]) == (spec["nodeSelector"], spec["tolerations"])
    assert "nvidia.com/gpu" not in str(found["containers"])


def test_beside_a_lorax_that_runs_it_shares_the_node_and_keeps_the_boards_own_affinity() -> None:
    expression = {"key": "zone", "operator": "In", "values": ["a"]}
    required = {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}
    nodes = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    affinity = pod(beside_lorax=True, lorax_spec={"affinity": nodes})["affinity"]
    (term,) = affinity["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    deployment = lorax.deployment(blueprint())
    assert deployment is not None
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert affinity["nodeAffinity"] == nodes["nodeAffinity"]
    assert (term["topologyKey"], term["labelSelector"]["matchLabels"]) == ("kubernetes.io/hostname", labels)


@pytest.mark.parametrize(("volume", "expected"), [({}, False), (CLAIM, True)])
def test_without_a_volume_there_is_nothing_to_fill(volume: Object, expected: bool) -> None:
    assert loader.has_volume(blueprint(adapters={"volume": volume})) is expected
