"""Any Boardroom spec that the CRD accepts, for property tests."""

from typing import Any

from hypothesis import strategies as st

Spec = dict[str, Any]
NAMES = st.from_regex(r"[a-z]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)
KEYS = st.from_regex(r"[a-zA-Z0-9][-._a-zA-Z0-9]{0,20}", fullmatch=True)
PATHS = st.from_regex(r"/[a-z0-9]{1,12}(/[a-z0-9]{1,12}){0,3}", fullmatch=True)
MOUNT_PATHS = st.from_regex(r"/(models|mnt|opt/[a-z]{1,9})(/[a-z0-9]{1,12}){0,3}", fullmatch=True)
QUANTITIES = st.from_regex(r"[1-9][0-9]{0,2}(Mi|Gi)", fullmatch=True)
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=40)
SECRET_KEYS = st.fixed_dictionaries({"name": NAMES, "key": KEYS})


def sparse(required: dict[str, Any], optional: dict[str, Any]) -> st.SearchStrategy[Spec]:
    """An object with its required fields and any of its optional ones."""
    return st.fixed_dictionaries(required, optional=optional)


CACHES: st.SearchStrategy[Spec] = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"claimName": NAMES}),
    sparse(
        {"size": QUANTITIES},
        {
            "storageClassName": NAMES,
            "accessMode": st.just("ReadWriteOnce"),
            "whenDeleted": st.sampled_from(["Delete", "Retain"]),
        },
    ),
)
SHARED_CACHES: st.SearchStrategy[Spec] = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"claimName": NAMES}),
    sparse({"size": QUANTITIES, "accessMode": st.just("ReadWriteMany")}, {"storageClassName": NAMES}),
)


def models(caches: st.SearchStrategy[Spec]) -> st.SearchStrategy[Spec]:
    return sparse(
        {"id": st.from_regex(r"[A-Za-z0-9]{1,20}(/[A-Za-z0-9._-]{1,20})?", fullmatch=True)},
        {
            "revision": st.from_regex(r"[a-f0-9]{7,40}", fullmatch=True),
            "source": st.sampled_from(["Hub", "Local"]),
            "tokenSecretRef": SECRET_KEYS,
            "cache": caches,
        },
    )


def variables(prefix: str) -> st.SearchStrategy[Any]:
    names = st.from_regex(rf"{prefix}_[A-Z]{{1,10}}", fullmatch=True)
    return st.one_of(
        st.fixed_dictionaries({"name": names, "value": TEXTS}),
        st.fixed_dictionaries({"name": names, "secretKeyRef": SECRET_KEYS}),
    )


ENV = variables("X")
OTEL_ENV = variables("OTEL")
ORIGINS = st.from_regex(r"https?://[a-z][a-z0-9]{0,20}\.example\.com(:[1-9][0-9]{3})?", fullmatch=True)
TOLERATIONS = st.one_of(
    sparse(
        {"operator": st.just("Exists")}, {"key": NAMES, "effect": st.sampled_from(["NoSchedule", "PreferNoSchedule"])}
    ),
    sparse({"key": NAMES, "operator": st.just("Equal"), "value": NAMES}, {}),
    sparse(
        {"key": NAMES, "operator": st.just("Exists"), "effect": st.just("NoExecute")},
        {"tolerationSeconds": st.integers(0, 3600)},
    ),
)
REDIS = sparse(
    {"host": st.from_regex(r"[a-z0-9]{1,9}([.-][a-z0-9]{1,9}){0,3}", fullmatch=True), "passwordSecretRef": SECRET_KEYS},
    {
        "port": st.integers(1, 65535),
        "database": st.integers(0, 15),
        "username": st.from_regex(r"[a-z0-9_%#?]{1,9}", fullmatch=True),
        "tls": sparse({}, {"caSecretRef": SECRET_KEYS}),
    },
)
REQUESTS = st.dictionaries(st.sampled_from(["cpu", "memory"]), st.just("1Gi"), max_size=2)
LIMITS = st.dictionaries(st.sampled_from(["cpu", "memory"]), st.just("2Gi"), max_size=2)
RESOURCES = sparse({}, {"requests": REQUESTS, "limits": LIMITS})
LABEL_KEYS = st.from_regex(r"([a-z][a-z0-9]{0,9}\.example/)?[a-zA-Z][-_.a-zA-Z0-9]{0,20}[a-zA-Z0-9]", fullmatch=True)
EXPRESSIONS = st.one_of(
    st.fixed_dictionaries(
        {
            "key": LABEL_KEYS,
            "operator": st.sampled_from(["In", "NotIn"]),
            "values": st.lists(NAMES, min_size=1, max_size=3),
        }
    ),
    st.fixed_dictionaries({"key": LABEL_KEYS, "operator": st.sampled_from(["Exists", "DoesNotExist"])}),
    st.fixed_dictionaries(
        {
            "key": LABEL_KEYS,
            "operator": st.sampled_from(["Gt", "Lt"]),
            "values": st.integers(0, 99).map(lambda n: [str(n)]),
        }
    ),
)
TERMS = st.fixed_dictionaries({"matchExpressions": st.lists(EXPRESSIONS, min_size=1, max_size=2)})
AFFINITIES = st.fixed_dictionaries(
    {
        "nodeAffinity": sparse(
            {},
            {
                "requiredDuringSchedulingIgnoredDuringExecution": st.fixed_dictionaries(
                    {"nodeSelectorTerms": st.lists(TERMS, min_size=1, max_size=2)}
                ),
                "preferredDuringSchedulingIgnoredDuringExecution": st.lists(
                    st.fixed_dictionaries({"weight": st.integers(1, 100), "preference": TERMS}), max_size=2
                ),
            },
        )
    }
)
TEMPLATES = st.fixed_dictionaries({"name": NAMES, "resourceClaimTemplateName": NAMES})
CLAIMS = st.one_of(st.fixed_dictionaries({"name": NAMES, "resourceClaimName": NAMES}), TEMPLATES)


def gpus(claims: st.SearchStrategy[Spec]) -> st.SearchStrategy[Spec]:
    whole = {"count": st.integers(1, 16), "resourceName": st.sampled_from(["nvidia.com/gpu", "amd.com/gpu"])}
    several = st.lists(claims, min_size=1, max_size=2, unique_by=lambda claim: claim["name"])
    return st.one_of(
        st.just({}),
        st.fixed_dictionaries({"gpu": sparse({}, whole)}),
        st.fixed_dictionaries({"gpu": st.just({"resourceName": "nvidia.com/mig-3g.40gb"})}),
        sparse({"resourceClaims": several}, {"shards": st.integers(1, 16)}),
    )


LORAX_BESIDE_GPUS = sparse(
    {},
    {
        "image": st.sampled_from(["ghcr.io/predibase/lorax:0.12.1", "a/b@sha256:" + "0" * 64]),
        "imagePullPolicy": st.sampled_from(["Always", "IfNotPresent", "Never"]),
        "port": st.integers(1024, 65535).filter(lambda port: port != 8082),
        "adapterPolicy": st.sampled_from(["Dynamic", "Preloaded"]),
        "adapterCacheSize": st.integers(1, 4096),
        "maxConcurrentRequests": st.integers(256, 65536),  # not below maxMembers
        "maxInputTokens": st.integers(1, 1000),
        "maxTotalTokens": st.integers(1001, 1_000_000),
        "resources": RESOURCES,
        "affinity": AFFINITIES,
        "runtimeClassName": NAMES,
        "priorityClassName": NAMES,
        "nodeSelector": st.dictionaries(NAMES, NAMES, max_size=3),
        "tolerations": st.lists(TOLERATIONS, max_size=3),
        "shmSize": QUANTITIES,
        "startupTimeoutSeconds": st.integers(30, 86400),
        "extraArgs": st.lists(st.sampled_from(["--compile", "--eager-prefill", "true"]), max_size=3),
        "env": st.lists(ENV, max_size=3, unique_by=lambda e: e["name"]),
    },
)


WEIGHTS = st.one_of(
    sparse({}, {"quantize": st.sampled_from(["awq", "bitsandbytes-nf4"])}),
    st.fixed_dictionaries({"dtype": st.sampled_from(["float16", "bfloat16"])}),
)


def lorax(own: st.SearchStrategy[Spec], replicas: st.SearchStrategy[Spec]) -> st.SearchStrategy[Spec]:
    parts = st.tuples(LORAX_BESIDE_GPUS, gpus(own), replicas, WEIGHTS)
    return parts.map(lambda p: p[0] | p[1] | p[2] | p[3])


ONE_SERVER = sparse({"model": models(CACHES)}, {"lorax": lorax(CLAIMS, sparse({}, {"replicas": st.just(1)}))})
SEVERAL_SERVERS = st.fixed_dictionaries(
    {
        "model": models(SHARED_CACHES),
        "lorax": lorax(TEMPLATES, st.fixed_dictionaries({"replicas": st.integers(2, 16)})),
    }
)
VOLUMES: st.SearchStrategy[Spec] = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"persistentVolumeClaim": st.fixed_dictionaries({"claimName": NAMES})}),
    st.fixed_dictionaries({"nfs": st.fixed_dictionaries({"server": NAMES, "path": PATHS})}),
    st.fixed_dictionaries(
        {
            "csi": sparse(
                {"driver": NAMES},
                {"fsType": st.just("ext4"), "volumeAttributes": st.dictionaries(NAMES, TEXTS, max_size=2)},
            )
        }
    ),
    st.fixed_dictionaries({"hostPath": st.fixed_dictionaries({"path": PATHS})}),
)
REST = sparse(
    {},
    {
        "enableLorax": st.booleans(),
        "suspend": st.booleans(),
        "maxMembers": st.integers(1, 256),
        "imagePullSecrets": st.lists(st.fixed_dictionaries({"name": NAMES}), max_size=3, unique_by=lambda s: s["name"]),
        "adapters": sparse(
            {},
            {
                "mountPath": MOUNT_PATHS,
                "volume": VOLUMES,
                "downloads": sparse({}, {"claimName": NAMES, "sizeLimit": QUANTITIES}),
                "credentialsSecretRef": st.fixed_dictionaries({"name": NAMES}),
                "baseModels": st.lists(NAMES, max_size=2, unique=True),
                "maxRank": st.integers(1, 512),
                "maxSize": QUANTITIES,
            },
        ),
        "coordinator": sparse(
            {},
            {
                "replicas": st.integers(1, 8),
                "resources": RESOURCES,
                "env": st.lists(OTEL_ENV, max_size=3, unique_by=lambda e: e["name"]),
                "requestTimeoutSeconds": st.integers(1, 3600),
                "cors": sparse({}, {"allowOrigins": st.lists(ORIGINS, max_size=3, unique=True)}),
                "conversations": sparse(
                    {},
                    {
                        "maxTurns": st.integers(1, 100),
                        "maxTokens": st.integers(16, 200000),
                        "ttlSeconds": st.integers(1, 2592000),
                        "redis": REDIS,
                    },
                ),
            },
        ),
        "deliberation": sparse({}, {"defaultMode": st.sampled_from(["Parallel", "Sequential"])}),
    },
)


def _with_a_volume(spec: Spec) -> Spec:
    """What is preloaded must lie on one."""
    adapters = spec.get("adapters", {})
    if spec.get("lorax", {}).get("adapterPolicy") != "Preloaded" or adapters.get("volume"):
        return spec
    return spec | {"adapters": adapters | {"volume": {"persistentVolumeClaim": {"claimName": "adapters"}}}}


SPECS = st.tuples(st.one_of(ONE_SERVER, SEVERAL_SERVERS), REST).map(lambda parts: _with_a_volume(parts[0] | parts[1]))
MEMBERS = st.lists(NAMES, max_size=4, unique=True).map(tuple)
