"""The CRDs on a real API server: what is good is taken, what is bad is refused by field and with a remedy."""

from typing import Any

import pytest

from integration.boards import MODEL, agent, board
from integration.kube_api import KubeApi, Object

CLAIM = {"persistentVolumeClaim": {"claimName": "a"}}
ACCESS_POINT = "arn:aws:s3:eu-west-1:123456789012:accesspoint/lora"
NFS = {"nfs": {"server": "nas", "path": "/exports"}}

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
TERMS = f"spec.lorax.affinity.nodeAffinity.{REQUIRED}.nodeSelectorTerms"


def affinity(expression: Object) -> Object:
    return {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}}}


BAD: dict[str, tuple[Object, str, str]] = {
    "no model": (board() | {"spec": {}}, "spec.model", "Required value"),
    "model of a wrong type": (board(model={"id": 7}), "spec.model.id", "must be of type string"),
    "model with blanks": (board(model={"id": "a b"}), "spec.model.id", "should match"),
    "unknown source": (board(model={"id": MODEL, "source": "S3"}), "spec.model.source", '"Hub", "Local"'),
    "cache by claim and size": (
        board(model={"id": MODEL, "cache": {"claimName": "a", "size": "1Gi"}}),
        "spec.model.cache",
        "give either claimName (an existing claim) or size (the operator creates a claim), not both",
    ),
    "class without size": (
        board(model={"id": MODEL, "cache": {"storageClassName": "fast"}}),
        "spec.model.cache.storageClassName",
        "storageClassName needs size",
    ),
    "mode without size": (
        board(model={"id": MODEL, "cache": {"claimName": "a", "accessMode": "ReadWriteMany"}}),
        "spec.model.cache.accessMode",
        "accessMode needs size",
    ),
    "several servers on a claim for one": (
        board(model={"id": MODEL, "cache": {"size": "1Gi"}}, lorax={"replicas": 2}),
        "spec.model.cache",
        "set model.cache.accessMode: ReadWriteMany",
    ),
    "several servers on one set of devices": (
        board(lorax={"replicas": 2, "resourceClaims": [{"name": "gpu", "resourceClaimName": "a"}]}),
        "spec.lorax.resourceClaims",
        "give each claim a resourceClaimTemplateName, or set replicas to 1",
    ),
    "no server": (board(lorax={"replicas": 0}), "spec.lorax.replicas", "greater than or equal to 1"),
    "a policy for a claim of one's own": (
        board(model={"id": MODEL, "cache": {"claimName": "a", "whenDeleted": "Retain"}}),
        "spec.model.cache.whenDeleted",
        "the operator never deletes a claim that claimName names",
    ),
    "the operator's own claim by name": (
        board(model={"id": MODEL, "cache": {"claimName": "executive-model-cache"}}),
        "spec.model.cache.claimName",
        "give spec.model.cache.size instead of claimName",
    ),
    "count as text": (board(lorax={"gpu": {"count": "one"}}), "spec.lorax.gpu.count", "must be of type integer"),
    "no GPU": (board(lorax={"gpu": {"count": 0}}), "spec.lorax.gpu.count", "greater than or equal to 1"),
    "GPU without a domain": (
        board(lorax={"gpu": {"resourceName": "gpu"}}),
        "spec.lorax.gpu.resourceName",
        "should match",
    ),
    "more than one MIG slice": (
        board(lorax={"gpu": {"count": 2, "resourceName": "nvidia.com/mig-3g.40gb"}}),
        "spec.lorax.gpu.count",
        "set count to 1 and choose a larger slice, or use whole GPUs",
    ),
    "GPUs and claims": (
        board(lorax={"gpu": {"count": 1}, "resourceClaims": [{"name": "gpu", "resourceClaimName": "a"}]}),
        "spec.lorax.resourceClaims",
        "give either gpu (a count of an extended resource) or resourceClaims",
    ),
    "a claim by name and template": (
        board(lorax={"resourceClaims": [{"name": "g", "resourceClaimName": "a", "resourceClaimTemplateName": "b"}]}),
        "spec.lorax.resourceClaims[0]",
        "give either resourceClaimName (a claim that exists, shared by all pods that name it) or",
    ),
    "one claim twice": (
        board(lorax={"resourceClaims": [{"name": "g", "resourceClaimName": n} for n in "ab"]}),
        "spec.lorax.resourceClaims[1]",
        "Duplicate value",
    ),
    "shards without claims": (
        board(lorax={"shards": 2}),
        "spec.lorax.shards",
        "with gpu the model is sharded over gpu.count GPUs",
    ),
    "affinity In without values": (
        board(lorax={"affinity": affinity({"key": "a", "operator": "In"})}),
        f"{TERMS}[0].matchExpressions[0].values",
        "operators In and NotIn need values",
    ),
    "affinity Exists with values": (
        board(lorax={"affinity": affinity({"key": "a", "operator": "Exists", "values": ["b"]})}),
        f"{TERMS}[0].matchExpressions[0].values",
        "take no values",
    ),
    "affinity Gt without a number": (
        board(lorax={"affinity": affinity({"key": "a", "operator": "Gt", "values": ["much"]})}),
        f"{TERMS}[0].matchExpressions[0].values",
        "need exactly one value, a whole number in quotes",
    ),
    "affinity to pods": (
        board(lorax={"affinity": {"podAffinity": {}}}),
        "spec.lorax.affinity.nodeAffinity",
        "Required value",
    ),
    "privileged port": (board(lorax={"port": 80}), "spec.lorax.port", "greater than or equal to 1024"),
    "the sidecar's port": (board(lorax={"port": 8082}), "spec.lorax.port", "belongs to the adapters sidecar"),
    "adapters over the model cache": (
        board(adapters={"mountPath": "/data"}),
        "spec.adapters.mountPath",
        "choose another mountPath",
    ),
    "a managed flag": (
        board(lorax={"extraArgs": ["--port=1"]}),
        "spec.lorax.extraArgs",
        "extraArgs may not set a flag that the operator manages; use the field of",
    ),
    "a managed variable": (
        board(lorax={"env": [{"name": "HF_TOKEN", "value": "x"}]}),
        "spec.lorax.env",
        "env may not set what the operator manages",
    ),
    "a variable that is not OpenTelemetry's": (
        board(coordinator={"env": [{"name": "LD_PRELOAD", "value": "x"}]}),
        "spec.coordinator.env",
        "OpenTelemetry only",
    ),
    "a variable without a value": (
        board(lorax={"env": [{"name": "A"}]}),
        "spec.lorax.env[0]",
        "give either value or secretKeyRef",
    ),
    "more input than total": (
        board(lorax={"maxInputTokens": 9, "maxTotalTokens": 9}),
        "spec.lorax.maxInputTokens",
        "must be below maxTotalTokens",
    ),
    "not a quantity": (board(lorax={"shmSize": "much"}), "spec.lorax.shmSize", "should match"),
    "two volumes": (
        board(adapters={"volume": CLAIM | NFS}),
        "spec.adapters.volume",
        "give at most one of persistentVolumeClaim, nfs, csi, hostPath",
    ),
    "preloaded without a volume": (
        board(lorax={"adapterPolicy": "Preloaded"}),
        "spec.lorax.adapterPolicy",
        "set spec.adapters.volume, or spec.adapters.downloads.claimName for fetched ones",
    ),
    "preloaded over an empty volume": (
        board(lorax={"adapterPolicy": "Preloaded"}, adapters={"volume": {}, "downloads": {}}),
        "spec.lorax.adapterPolicy",
        "adapterPolicy Preloaded needs adapters that exist before LoRAX starts",
    ),
    "more members than requests at once": (
        board(maxMembers=9, lorax={"maxConcurrentRequests": 8}),
        "spec.lorax.maxConcurrentRequests",
        "set lorax.maxConcurrentRequests to maxMembers or more",
    ),
    "preloaded by hand": (
        board(lorax={"extraArgs": ["--preloaded-adapter-ids", "/models/x"]}),
        "spec.lorax.extraArgs",
        "extraArgs may not set a flag that the operator manages",
    ),
    "unknown adapter policy": (
        board(lorax={"adapterPolicy": "Static"}),
        "spec.lorax.adapterPolicy",
        '"Dynamic", "Preloaded"',
    ),
    "relative mount path": (board(adapters={"mountPath": "models"}), "spec.adapters.mountPath", "an absolute path"),
    "a mount path that leads up": (
        board(adapters={"mountPath": "/models/../etc"}),
        "spec.adapters.mountPath",
        "for example",
    ),
    "a mount path with a slash at the end": (
        board(adapters={"mountPath": "/data/"}),
        "spec.adapters.mountPath",
        "no / at",
    ),
    "adapters over the system": (board(adapters={"mountPath": "/usr"}), "spec.adapters.mountPath", "choose another"),
    "a directory of the node that leads up": (
        board(adapters={"volume": {"hostPath": {"path": "/srv/../etc"}}}),
        "spec.adapters.volume.hostPath.path",
        "no part may be ..",
    ),
    "an NFS server with its export": (
        board(adapters={"volume": {"nfs": {"server": "nas:/exports", "path": "/exports"}}}),
        "spec.adapters.volume.nfs.server",
        "give a host name or an IP address alone",
    ),
    "a CSI driver that can't be": (
        board(adapters={"volume": {"csi": {"driver": "my driver"}}}),
        "spec.adapters.volume.csi.driver",
        "kubectl get csidrivers",
    ),
    "an adapter of no size": (board(adapters={"maxSize": "0"}), "spec.adapters.maxSize", "give more than 0"),
    "no room for downloads": (
        board(adapters={"downloads": {"sizeLimit": "0Gi"}}),
        "spec.adapters.downloads.sizeLimit",
        "give more than 0",
    ),
    "a cache of no size": (
        board(model={"id": MODEL, "cache": {"size": "0"}}),
        "spec.model.cache.size",
        "give more than 0",
    ),
    "a model that looks like a flag": (board(model={"id": "--help"}), "spec.model.id", "should match"),
    "weights held in two ways": (
        board(lorax={"quantize": "awq", "dtype": "float16"}),
        "spec.lorax.dtype",
        "LoRAX takes either quantize or dtype",
    ),
    "a managed flag by its letter": (
        board(lorax={"extraArgs": ["-p", "80"]}),
        "spec.lorax.extraArgs",
        "extraArgs may not set a flag that the operator manages",
    ),
    "a flag and its value in one": (
        board(lorax={"extraArgs": ["--cuda-memory-fraction 0.9"]}),
        "spec.lorax.extraArgs",
        "as two items of extraArgs, or as one item --flag=value",
    ),
    "GPUs as a limit": (
        board(lorax={"resources": {"limits": {"nvidia.com/gpu": "2"}}}),
        "spec.lorax.resources",
        "gpu.count sets the GPUs",
    ),
    "GPUs of another name as a request": (
        board(lorax={"gpu": {"resourceName": "amd.com/gpu"}, "resources": {"requests": {"amd.com/gpu": "2"}}}),
        "spec.lorax.resources",
        "gpu.count sets the GPUs",
    ),
    "a resource that is none": (
        board(lorax={"resources": {"requests": {"cpus": "2"}}}),
        "spec.lorax.resources.requests",
        "a resource is cpu, memory",
    ),
    "a request above its limit": (
        board(coordinator={"resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1500m"}}}),
        "spec.coordinator.resources.requests",
        "raise limits or lower requests",
    ),
    "a device that is requested and not limited": (
        board(lorax={"resources": {"requests": {"rdma/hca": "1"}}}),
        "spec.lorax.resources.requests",
        "give the same in limits",
    ),
    "a node's label that can't be": (
        board(lorax={"nodeSelector": {"gpu type": "a100"}}),
        "spec.lorax.nodeSelector",
        "give labels' names",
    ),
    "a label's value that can't be": (
        board(lorax={"nodeSelector": {"gpu": "a 100"}}),
        "spec.lorax.nodeSelector[gpu]",
        "give a label's value",
    ),
    "an affinity to a value that can't be": (
        board(lorax={"affinity": affinity({"key": "gpu", "operator": "In", "values": ["a 100"]})}),
        f"{TERMS}[0].matchExpressions[0].values[0]",
        "give a label's value",
    ),
    "a toleration of nothing": (
        board(lorax={"tolerations": [{"value": "gpu"}]}),
        "spec.lorax.tolerations[0].key",
        "needs operator: Exists",
    ),
    "a toleration of any value by its value": (
        board(lorax={"tolerations": [{"key": "gpu", "operator": "Exists", "value": "true"}]}),
        "spec.lorax.tolerations[0].value",
        "leave it out, or use Equal",
    ),
    "a toleration in time of what never evicts": (
        board(lorax={"tolerations": [{"key": "gpu", "operator": "Exists", "tolerationSeconds": 9}]}),
        "spec.lorax.tolerations[0].tolerationSeconds",
        "needs effect: NoExecute",
    ),
    "a Secret whose name can't be": (
        board(imagePullSecrets=[{"name": "a..b"}]),
        "spec.imagePullSecrets[0].name",
        "should match",
    ),
    "an engine at no port": (
        board(standardInference={"url": "http://vllm:65536/v1", "model": "m"}),
        "spec.standardInference.url",
        "port (1 to 65535)",
    ),
    "an engine by half an address": (
        board(standardInference={"url": "http://[::1/v1", "model": "m"}),
        "spec.standardInference.url",
        "for example https://api.openai.com/v1",
    ),
    "unknown mode": (board(deliberation={"defaultMode": "Duel"}), "spec.deliberation.defaultMode", '"Parallel"'),
    "a Redis by its URL": (
        board(coordinator={"conversations": {"redis": {"host": "redis://:secret@redis:6379"}}}),
        "spec.coordinator.conversations.redis.host",
        "should match",
    ),
    "a Redis user without a password": (
        board(coordinator={"conversations": {"redis": {"host": "redis", "username": "board"}}}),
        "spec.coordinator.conversations.redis",
        "username needs passwordSecretRef (a Secret of this namespace)",
    ),
    "no member": (board(maxMembers=0), "spec.maxMembers", "greater than or equal to 1"),
    "origin with a path": (
        board(coordinator={"cors": {"allowOrigins": ["https://app.example.com/"]}}),
        "spec.coordinator.cors.allowOrigins[0]",
        "without a path, a slash or *",
    ),
    "any origin": (
        board(coordinator={"cors": {"allowOrigins": ["*"]}}),
        "spec.coordinator.cors.allowOrigins[0]",
        "write an origin as browsers do",
    ),
    "too long a name": (board("b" * 50), "<nil>", "at most 49 characters"),
    "a name that no Service can have": (board("1st"), "<nil>", "must be a DNS-1035 label"),
    "agent without a role": (agent("") | {"spec": {"boardroomRef": {"name": "b"}}}, "spec.role", "Required value"),
    "role with a blank": (agent("C EO", name="ceo"), "spec.role", "should match"),
    "path out of the mount": (agent("CEO", adapter={"path": "../x"}), "spec.adapter.path", "relative to"),
    "absolute path": (agent("CEO", adapter={"path": "/etc"}), "spec.adapter.path", "relative to"),
    "path with a newline": (agent("CEO", adapter={"path": "a\nb"}), "spec.adapter.path", "relative to"),
    "path and none": (
        agent("CEO", adapter={"path": "a", "none": True}),
        "spec.adapter",
        "give at most one of path, huggingFace, s3 and none: true",
    ),
    "path and hub": (
        agent("CEO", adapter={"path": "a", "huggingFace": {"repo": "a/b"}}),
        "spec.adapter",
        "give at most one of path, huggingFace, s3 and none: true",
    ),
    "hub and bucket": (
        agent("CEO", adapter={"huggingFace": {"repo": "a/b"}, "s3": {"bucket": "abc", "prefix": "a"}}),
        "spec.adapter",
        "give at most one of path, huggingFace, s3 and none: true",
    ),
    "bucket and none": (
        agent("CEO", adapter={"s3": {"bucket": "abc", "prefix": "a"}, "none": True}),
        "spec.adapter",
        "give at most one of path, huggingFace, s3 and none: true",
    ),
    "empty path": (agent("CEO", adapter={"path": ""}), "spec.adapter.path", "relative to"),
    "path that ends in a slash": (agent("CEO", adapter={"path": "a/"}), "spec.adapter.path", "relative to"),
    "path where no scan looks": (agent("CEO", adapter={"path": "1/2/3/4/5/6/7/8/9"}), "spec.adapter.path", "at most 8"),
    "hidden path": (agent("CEO", adapter={"path": "a/.b"}), "spec.adapter.path", "relative to"),
    "hub without a repository": (
        agent("CEO", adapter={"huggingFace": {}}),
        "spec.adapter.huggingFace.repo",
        "Required value",
    ),
    "repository without an owner": (
        agent("CEO", adapter={"huggingFace": {"repo": "ceo-lora"}}),
        "spec.adapter.huggingFace.repo",
        "owner/name",
    ),
    "repository as a URL": (
        agent("CEO", adapter={"huggingFace": {"repo": "https://huggingface.co/a/b"}}),
        "spec.adapter.huggingFace.repo",
        "owner/name",
    ),
    "repository that leads up": (
        agent("CEO", adapter={"huggingFace": {"repo": "../b"}}),
        "spec.adapter.huggingFace.repo",
        "owner/name",
    ),
    "revision with a blank": (
        agent("CEO", adapter={"huggingFace": {"repo": "a/b", "revision": "the last"}}),
        "spec.adapter.huggingFace.revision",
        "a commit, tag or branch",
    ),
    "hub that is no URL": (
        agent("CEO", adapter={"huggingFace": {"repo": "a/b", "endpoint": "hub.example.com"}}),
        "spec.adapter.huggingFace.endpoint",
        "for example https://",
    ),
    "hub with credentials": (
        agent("CEO", adapter={"huggingFace": {"repo": "a/b", "endpoint": "https://me:secret@hub.example"}}),
        "spec.adapter.huggingFace.endpoint",
        "for example https://",
    ),
    "hub at no port": (
        agent("CEO", adapter={"huggingFace": {"repo": "a/b", "endpoint": "https://hub.example:99999"}}),
        "spec.adapter.huggingFace.endpoint",
        "port (1 to 65535)",
    ),
    "S3 at port 0": (
        agent("CEO", adapter={"s3": {"bucket": "abc", "prefix": "a", "endpoint": "http://minio:0"}}),
        "spec.adapter.s3.endpoint",
        "port (1 to 65535)",
    ),
    "S3 without a bucket": (
        agent("CEO", adapter={"s3": {"prefix": "a"}}),
        "spec.adapter.s3.bucket",
        "Required value",
    ),
    "S3 without a prefix": (
        agent("CEO", adapter={"s3": {"bucket": "abc"}}),
        "spec.adapter.s3.prefix",
        "Required value",
    ),
    "bucket as a URL": (
        agent("CEO", adapter={"s3": {"bucket": "s3://lora", "prefix": "a"}}),
        "spec.adapter.s3.bucket",
        "the bucket's name alone",
    ),
    "bucket with a path": (
        agent("CEO", adapter={"s3": {"bucket": "lora/ceo", "prefix": "a"}}),
        "spec.adapter.s3.bucket",
        "the bucket's name alone",
    ),
    "access point of an S3 server": (
        agent("CEO", adapter={"s3": {"bucket": ACCESS_POINT, "prefix": "a", "endpoint": "http://minio:9000"}}),
        "spec.adapter.s3.endpoint",
        "leave endpoint out",
    ),
    "subfolder that begins with a slash": (
        agent("CEO", adapter={"huggingFace": {"repo": "a/b", "subfolder": "/ceo"}}),
        "spec.adapter.huggingFace.subfolder",
        "without a leading slash",
    ),
    "prefix that begins with a slash": (
        agent("CEO", adapter={"s3": {"bucket": "abc", "prefix": "/ceo"}}),
        "spec.adapter.s3.prefix",
        "without a leading",
    ),
    "prefix that leads up": (
        agent("CEO", adapter={"s3": {"bucket": "abc", "prefix": "a/../b"}}),
        "spec.adapter.s3.prefix",
        "no part of it may be . or ..",
    ),
    "S3 server that is no URL": (
        agent("CEO", adapter={"s3": {"bucket": "abc", "prefix": "a", "endpoint": "minio:9000"}}),
        "spec.adapter.s3.endpoint",
        "for example https://",
    ),
    "S3 server with a query": (
        agent("CEO", adapter={"s3": {"bucket": "abc", "prefix": "a", "endpoint": "https://s3.example?x=1"}}),
        "spec.adapter.s3.endpoint",
        "for example https://",
    ),
    "region in capitals": (
        agent("CEO", adapter={"s3": {"bucket": "abc", "prefix": "a", "region": "EU"}}),
        "spec.adapter.s3.region",
        "for example eu-central-1",
    ),
    "temperature as a number": (
        agent("CEO", generation={"temperature": 0.7}),
        "spec.generation.temperature",
        "must be of type string",
    ),
    "top_p above one": (agent("CEO", generation={"topP": "1.5"}), "spec.generation.topP", "should match"),
    "top_p of nothing": (agent("CEO", generation={"topP": "0.00"}), "spec.generation.topP", "should match"),
    "five stop texts": (
        agent("CEO", generation={"stop": list("abcde")}),
        "spec.generation.stop",
        "must have at most 4 items",
    ),
    "one domain twice": (agent("CEO", domains=["a", "a"]), "spec.domains[1]", "Duplicate value"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_object_is_refused_by_field_and_with_a_remedy(kube: KubeApi, case: str) -> None:
    obj, field, remedy = BAD[case]
    response = kube.try_create(obj)
    status = response.json()
    causes = {cause.get("field"): cause["message"] for cause in status.get("details", {}).get("causes", ())}
    assert response.status_code == 422, status.get("message")
    assert field in causes
    assert remedy in causes[field]


@pytest.mark.parametrize("adapters", [{"volume": CLAIM}, {"volume": NFS}, {"downloads": {"claimName": "a"}}])
def test_adapters_are_preloaded_from_what_outlives_a_pod(kube: KubeApi, adapters: Object) -> None:
    assert kube.try_create(board(lorax={"adapterPolicy": "Preloaded"}, adapters=adapters)).status_code == 201


GOOD: dict[str, Object] = {
    "top_p with a zero at its end": agent("CEO", generation={"topP": "0.90"}),
    "the highest port": agent("CEO", adapter={"huggingFace": {"repo": "a/b", "endpoint": "https://hub.example:65535"}}),
    "an engine by its IPv6 address": board(standardInference={"url": "http://[fd00::1]:8000/v1", "model": "m"}),
    "an NFS server by its IPv6 address": board(
        adapters={"volume": {"nfs": {"server": "[fd00::1]", "path": "/exports/"}}}
    ),
    "a toleration of everything": board(lorax={"tolerations": [{"operator": "Exists"}]}),
    "adapter in a subfolder": agent("CEO", adapter={"huggingFace": {"repo": "a/b", "subfolder": "adapters/ceo"}}),
    "bucket in capitals": agent("CEO", adapter={"s3": {"bucket": "My_Bucket", "prefix": "a"}}),
    "access point": agent("CEO", adapter={"s3": {"bucket": ACCESS_POINT, "prefix": "a"}}),
    "flags and values": board(lorax={"extraArgs": ["--cuda-memory-fraction", "0.9", "--tokenizer-config-path=a b"]}),
    "resources of every kind": board(
        lorax={
            "resources": {
                "requests": {"cpu": "500m", "memory": "1Gi", "rdma/hca": "1", "ephemeral-storage": "1G"},
                "limits": {"cpu": "1", "memory": "1Gi", "rdma/hca": "1", "hugepages-2Mi": "4Mi"},
            }
        }
    ),
    "another GPU beside the claimed ones": board(
        lorax={
            "resourceClaims": [{"name": "gpu", "resourceClaimName": "a"}],
            "resources": {"limits": {"nvidia.com/gpu": "1"}},
        }
    ),
}


@pytest.mark.parametrize("case", GOOD)
def test_a_good_object_is_taken(kube: KubeApi, case: str) -> None:
    response = kube.try_create(GOOD[case], dryRun="All")
    assert response.status_code == 201, response.json()["message"]


def test_an_unknown_field_is_refused_under_strict_validation(kube: KubeApi) -> None:
    response = kube.try_create(board(enableLoraxx=True), fieldValidation="Strict")
    assert response.status_code == 400
    assert 'unknown field "spec.enableLoraxx"' in response.json()["message"]


def test_an_agent_cannot_change_its_board(kube: KubeApi) -> None:
    kube.create(agent("CEO", "first"))
    moved: dict[str, Any] = {"spec": {"boardroomRef": {"name": "second"}}}
    headers = {"Content-Type": "application/merge-patch+json"}
    response = kube.http.patch(kube.path("BoardAgent", "ceo"), json=moved, headers=headers)
    assert response.status_code == 422
    (cause,) = response.json()["details"]["causes"]
    assert cause["field"] == "spec.boardroomRef"
    assert "boardroomRef is immutable: delete the BoardAgent and create it for the other board" in cause["message"]


def test_a_new_object_has_observed_generation_minus_one(kube: KubeApi) -> None:
    assert kube.create(board("fresh"))["status"] == {"observedGeneration": -1}


def test_agents_can_be_selected_by_their_board(kube: KubeApi) -> None:
    kube.create(agent("CEO", "first"))
    kube.create(agent("CFO", "second"))
    selected = kube.http.get(kube.path("BoardAgent"), params={"fieldSelector": "spec.boardroomRef.name=second"})
    assert [item["metadata"]["name"] for item in selected.json()["items"]] == ["cfo"]


@pytest.mark.parametrize(
    ("kind", "obj", "expected"),
    [
        ("Boardroom", board(), ["Name", "Ready", "Status", "Model", "Agents", "Age"]),
        ("BoardAgent", agent("CEO"), ["Name", "Ready", "Status", "Board", "Role", "Age"]),
    ],
)
def test_the_printed_columns(kube: KubeApi, kind: str, obj: Object, expected: list[str]) -> None:
    kube.create(obj)
    table = kube.http.get(kube.path(kind), headers={"Accept": "application/json;as=Table;g=meta.k8s.io;v=v1"}).json()
    assert [c["name"] for c in table["columnDefinitions"] if c["priority"] == 0] == expected
