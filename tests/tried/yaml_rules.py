"""Boards in one line, as in yaml_boards: bounds, patterns, what stands twice, and the CRDs' own rules."""

from typing import Final

from tried.yaml_boards import TAKEN, Rows

_REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"


def _affinity(expression: str) -> str:
    terms = f"nodeSelectorTerms: [{{matchExpressions: [{expression}]}}]"
    return f"lorax: {{affinity: {{nodeAffinity: {{{_REQUIRED}: {{{terms}}}}}}}}}"


VALUES: Final[Rows] = {
    "no server": ("lorax: {replicas: 0}", "spec.lorax.replicas"),
    "as many servers as there may be": ("lorax: {replicas: 16}", TAKEN),
    "a server too many": ("lorax: {replicas: 17}", "spec.lorax.replicas"),
    "less than no member": ("maxMembers: -1", "spec.maxMembers"),
    "a privileged port": ("lorax: {port: 80}", "spec.lorax.port"),
    "a port that is none": ("lorax: {port: 65536}", "spec.lorax.port"),
    "the sidecar's port": ("lorax: {port: 8082}", "spec.lorax.port"),
    "a source that is none": ("model: {id: m, source: S3}", "spec.model.source"),
    "a source in small letters": ("model: {id: m, source: hub}", "spec.model.source"),
    "an empty source": ("model: {id: m, source: ''}", "spec.model.source"),
    "a model with a blank": ("model: {id: 'a b'}", "spec.model.id"),
    "a model like a flag": ("model: {id: --help}", "spec.model.id"),
    "a model with a line end": ('model: {id: "m\\n"}', "spec.model.id"),
    "a model with an umlaut": ("model: {id: mödel}", "spec.model.id"),
    "an empty model id": ("model: {id: ''}", "spec.model.id"),
    "a long model": (f"model: {{id: {'m' * 256}}}", TAKEN),
    "too long a model": (f"model: {{id: {'m' * 257}}}", "spec.model.id"),
    "an image with a blank": ("lorax: {image: 'a b'}", "spec.lorax.image"),
    "an image with a blank that is not ASCII": ('lorax: {image: "a\\u00a0b"}', TAKEN),
    "an image with a tab": ('lorax: {image: "a\\tb"}', "spec.lorax.image"),
    "an image with a line end": ('lorax: {image: "a\\n"}', "spec.lorax.image"),
    "umlauts to the bound": (f"standardInference: {{url: 'http://a/v1', model: {'ü' * 256}}}", TAKEN),
    "umlauts beyond the bound": (f"standardInference: {{url: 'http://a/v1', model: {'ü' * 257}}}", "model"),
    "emojis to the bound": (f"standardInference: {{url: 'http://a/v1', model: {'😀' * 256}}}", TAKEN),
    "a url without a scheme": ("standardInference: {url: vllm:8000/v1, model: m}", "spec.standardInference.url"),
    "a url with a query": ("standardInference: {url: 'http://a/v1?b', model: m}", "spec.standardInference.url"),
    "a url with a password": ("standardInference: {url: 'http://u:p@a/v1', model: m}", "spec.standardInference.url"),
    "a url with an IPv6 address": ("standardInference: {url: 'http://[::1]:8000/v1', model: m}", TAKEN),
    "an https url": ("standardInference: {url: 'https://api.openai.com/v1', model: m}", TAKEN),
    "quantize in capitals": ("lorax: {quantize: AWQ}", "spec.lorax.quantize"),
    "an unknown dtype": ("lorax: {dtype: fp16}", "spec.lorax.dtype"),
    "a rank too high": ("adapters: {maxRank: 513}", "spec.adapters.maxRank"),
    "65 flags": (f"lorax: {{extraArgs: [{', '.join(['--a'] * 65)}]}}", "spec.lorax.extraArgs"),
    "an empty flag": ("lorax: {extraArgs: ['']}", "spec.lorax.extraArgs[0]"),
    "a mode in small letters": ("deliberation: {defaultMode: parallel}", "spec.deliberation.defaultMode"),
    "rounds beyond the bound": ("deliberation: {rounds: 9}", "spec.deliberation.rounds"),
    "a chair": ("deliberation: {chairRef: {name: ceo}}", TAKEN),
    "a chair by its name alone": ("deliberation: {chairRef: ceo}", "spec.deliberation.chairRef"),
    "a chair with a capital": ("deliberation: {chairRef: {name: CEO}}", "spec.deliberation.chairRef.name"),
    "a Secret without a key": ("model: {id: m, tokenSecretRef: {name: a}}", "spec.model.tokenSecretRef.key"),
    "a Secret with two dots": ("imagePullSecrets: [{name: a..b}]", "spec.imagePullSecrets[0].name"),
    "a Redis with its port": ("coordinator: {conversations: {redis: {host: 'r:6379'}}}", "conversations.redis.host"),
    "a Redis with a port in quotes": (
        "coordinator: {conversations: {redis: {host: r, port: '6379'}}}",
        "spec.coordinator.conversations.redis.port",
    ),
    "a Redis user with a blank": (
        "coordinator: {conversations: {redis: {host: r, username: 'a b', passwordSecretRef: {name: a, key: b}}}}",
        "spec.coordinator.conversations.redis.username",
    ),
    "TLS of nothing": ("coordinator: {conversations: {redis: {host: r, tls: {}}}}", TAKEN),
}

TWICE: Final[Rows] = {
    "a key": ("suspend: true\n  suspend: false", "suspend"),
    "a key, the same value": ("suspend: true\n  suspend: true", "suspend"),
    "a key in one line": ("lorax: {replicas: 1, replicas: 1}", "replicas"),
    "a variable": ("lorax: {env: [{name: A, value: a}, {name: A, value: b}]}", "spec.lorax.env[1]"),
    "a variable of the coordinator": (
        "coordinator: {env: [{name: OTEL_A, value: a}, {name: OTEL_A, value: a}]}",
        "spec.coordinator.env[1]",
    ),
    "a secret": ("imagePullSecrets: [{name: a}, {name: a}]", "spec.imagePullSecrets[1]"),
    "a base model": ("adapters: {baseModels: [a, a]}", "spec.adapters.baseModels[1]"),
    "a claim": (
        "lorax: {resourceClaims: [{name: g, resourceClaimName: a}, {name: g, resourceClaimName: b}]}",
        "spec.lorax.resourceClaims[1]",
    ),
    "a flag": ("lorax: {extraArgs: [--a, --a]}", TAKEN),
    "a toleration": ("lorax: {tolerations: [{key: a}, {key: a}]}", TAKEN),
}

RULES: Final[Rows] = {
    "two volumes": (
        "adapters: {volume: {nfs: {server: s, path: /p}, persistentVolumeClaim: {claimName: a}}}",
        "spec.adapters.volume",
    ),
    "a volume": ("adapters: {volume: {hostPath: {path: /srv}}}", TAKEN),
    "a volume that leads up": ("adapters: {volume: {hostPath: {path: /srv/..}}}", "volume.hostPath.path"),
    "a mount path that is relative": ("adapters: {mountPath: models}", "spec.adapters.mountPath"),
    "a mount path over the cache": ("adapters: {mountPath: /data}", "spec.adapters.mountPath"),
    "a mount path below the cache": ("adapters: {mountPath: /data/models}", TAKEN),
    "a mount path over the downloads": ("adapters: {mountPath: /adapters/x}", "spec.adapters.mountPath"),
    "a mount path over the system": ("adapters: {mountPath: /proc/1}", "spec.adapters.mountPath"),
    "a variable without a value": ("lorax: {env: [{name: A}]}", "spec.lorax.env[0]"),
    "a variable with an empty value": ("lorax: {env: [{name: A, value: ''}]}", TAKEN),
    "a variable with a null value": ("lorax: {env: [{name: A, value: null}]}", "spec.lorax.env[0]"),
    "a variable with both": (
        "lorax: {env: [{name: A, value: b, secretKeyRef: {name: a, key: b}}]}",
        "spec.lorax.env[0]",
    ),
    "a variable without a name": ("lorax: {env: [{value: b}]}", "spec.lorax.env[0].name"),
    "a managed variable": ("lorax: {env: [{name: HF_TOKEN, value: x}]}", "spec.lorax.env"),
    "a variable that is not OpenTelemetry's": ("coordinator: {env: [{name: A, value: x}]}", "spec.coordinator.env"),
    "a variable of OpenTelemetry": ("coordinator: {env: [{name: OTEL_A, value: x}]}", TAKEN),
    "a managed flag": ("lorax: {extraArgs: [--port=1]}", "spec.lorax.extraArgs"),
    "a managed flag by its letter": ("lorax: {extraArgs: [-p, '80']}", "spec.lorax.extraArgs"),
    "a flag and its value in one": ("lorax: {extraArgs: [--cuda-memory-fraction 0.9]}", "spec.lorax.extraArgs"),
    "a flag and its value with a tab": ('lorax: {extraArgs: ["--a\\tb"]}', "spec.lorax.extraArgs"),
    "a flag and its value with =": ("lorax: {extraArgs: [--cuda-memory-fraction=0.9 x]}", TAKEN),
    "a flag and its value in two": ("lorax: {extraArgs: [--cuda-memory-fraction, '0.9']}", TAKEN),
    "more input than total": ("lorax: {maxInputTokens: 9, maxTotalTokens: 9}", "spec.lorax.maxInputTokens"),
    "less input than total": ("lorax: {maxInputTokens: 9, maxTotalTokens: 10}", TAKEN),
    "weights in two ways": ("lorax: {quantize: awq, dtype: float16}", "spec.lorax.dtype"),
    "GPUs and claims": ("lorax: {gpu: {count: 1}, resourceClaims: [{name: g, resourceClaimName: a}]}", "Claims"),
    "GPUs and no claims": ("lorax: {gpu: {count: 1}, resourceClaims: []}", TAKEN),
    "two MIG slices": ("lorax: {gpu: {count: 2, resourceName: nvidia.com/mig-3g.40gb}}", "spec.lorax.gpu.count"),
    "a MIG slice": ("lorax: {gpu: {resourceName: nvidia.com/mig-3g.40gb}}", TAKEN),
    "a claim by name and template": (
        "lorax: {resourceClaims: [{name: g, resourceClaimName: a, resourceClaimTemplateName: b}]}",
        "spec.lorax.resourceClaims[0]",
    ),
    "a claim by nothing": ("lorax: {resourceClaims: [{name: g}]}", "spec.lorax.resourceClaims[0]"),
    "one claim of two servers": (
        "lorax: {replicas: 2, resourceClaims: [{name: g, resourceClaimName: a}]}",
        "spec.lorax.resourceClaims",
    ),
    "shards without claims": ("lorax: {shards: 2}", "spec.lorax.shards"),
    "shards with claims": ("lorax: {shards: 2, resourceClaims: [{name: g, resourceClaimName: a}]}", TAKEN),
    "Exists with a value": ("lorax: {tolerations: [{key: a, operator: Exists, value: b}]}", "tolerations[0].value"),
    "Exists with an empty value": ("lorax: {tolerations: [{key: a, operator: Exists, value: ''}]}", TAKEN),
    "Exists with a null value": ("lorax: {tolerations: [{key: a, operator: Exists, value: null}]}", TAKEN),
    "Exists without a key": ("lorax: {tolerations: [{operator: Exists}]}", TAKEN),
    "Equal without a key": ("lorax: {tolerations: [{value: b}]}", "spec.lorax.tolerations[0].key"),
    "a toleration in time": (
        "lorax: {tolerations: [{key: a, operator: Exists, effect: NoExecute, tolerationSeconds: 9}]}",
        TAKEN,
    ),
    "a toleration in time of what never evicts": (
        "lorax: {tolerations: [{key: a, operator: Exists, tolerationSeconds: 9}]}",
        "spec.lorax.tolerations[0].tolerationSeconds",
    ),
    "a label's key that can't be": ("lorax: {nodeSelector: {'a b': c}}", "spec.lorax.nodeSelector"),
    "a label's value that can't be": ("lorax: {nodeSelector: {a: 'b c'}}", "spec.lorax.nodeSelector[a]"),
    "In without values": (
        _affinity("{key: a, operator: In}"),
        "matchExpressions[0].values",
    ),
    "Gt with a number": (
        _affinity("{key: a, operator: Gt, values: [5]}"),
        "matchExpressions[0].values[0]",
    ),
    "Gt with a number in quotes": (
        _affinity("{key: a, operator: Gt, values: ['5']}"),
        TAKEN,
    ),
    "no terms": (
        "lorax: {affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: []}}}}",
        "nodeSelectorTerms",
    ),
    "a class without a size": ("model: {id: m, cache: {storageClassName: fast}}", "cache.storageClassName"),
    "a mode without a size": ("model: {id: m, cache: {claimName: a, accessMode: ReadWriteMany}}", "cache.accessMode"),
    "a policy without a size": ("model: {id: m, cache: {whenDeleted: Retain}}", "spec.model.cache.whenDeleted"),
    "the operator's own claim": ("model: {id: m, cache: {claimName: b-model-cache}}", "spec.model.cache.claimName"),
    "several servers on a claim for one": ("model: {id: m, cache: {size: 1}}\n  lorax: {replicas: 2}", "model.cache"),
    "several servers on a claim for all": (
        "model: {id: m, cache: {size: 1, accessMode: ReadWriteMany}}\n  lorax: {replicas: 2}",
        TAKEN,
    ),
    "preloaded without a volume": ("lorax: {adapterPolicy: Preloaded}", "spec.lorax.adapterPolicy"),
    "preloaded from downloads that stay": (
        "lorax: {adapterPolicy: Preloaded}\n  adapters: {downloads: {claimName: a}}",
        TAKEN,
    ),
    "preloaded from a volume": (
        "lorax: {adapterPolicy: Preloaded}\n  adapters: {volume: {persistentVolumeClaim: {claimName: a}}}",
        TAKEN,
    ),
    "ApiKey without a Secret": ("coordinator: {auth: {mode: ApiKey}}", "spec.coordinator.auth"),
    "ApiKey with a Secret": ("coordinator: {auth: {mode: ApiKey, apiKeySecretRef: {name: a}}}", TAKEN),
    "Kubernetes with a Secret": ("coordinator: {auth: {mode: Kubernetes, apiKeySecretRef: {name: a}}}", "auth"),
    "None without quotes": ("coordinator: {auth: {mode: None}}", TAKEN),
    "a Redis user without a password": (
        "coordinator: {conversations: {redis: {host: r, username: a}}}",
        "spec.coordinator.conversations.redis",
    ),
}
