"""The names of a board's two workloads in messages, and the remedies for their problems."""

from boardroom.api.coordinator import ApiKeySecretRef
from boardroom.api.meta import model_cache_name
from boardroom.controller.plan import coordinator, lorax
from boardroom.controller.plan.blueprint import Blueprint
from boardroom.controller.status.pod_problems import WorkloadMessages


def lorax_messages(blueprint: Blueprint) -> WorkloadMessages:
    """Messages about LoRAX."""
    gpu, claims = blueprint.spec.lorax.gpu, _device_claims(blueprint)
    node = f"whose devices fit {claims}" if claims else f"with {gpu.count} {gpu.resource_name}"
    field = "resourceClaims" if claims else "gpu"
    return WorkloadMessages(
        workload="LoRAX",
        container=lorax.CONTAINER,
        starting=f"LoRAX is starting: it downloads {blueprint.spec.model.id}, loads it and warms up, which may take "
        f"{blueprint.spec.lorax.startup_timeout_seconds} s (spec.lorax.startupTimeoutSeconds)",
        image_remedy="check spec.lorax.image (or the operator's AOS_LORAX_IMAGE) and spec.imagePullSecrets",
        unschedulable_remedy=f"add a node {node}, free one, or change spec.lorax.{field}, nodeSelector, affinity or "
        "tolerations",
        crash_remedy="check spec.model.id and revision, spec.model.tokenSecretRef, and spec.lorax.extraArgs; where it "
        "was killed before it was up (exit code 137 or 143), raise spec.lorax.startupTimeoutSeconds",
        memory_remedy="raise spec.lorax.resources.limits.memory",
        start_remedy="check spec.lorax.image (it must have lorax-launcher on its PATH), spec.lorax.runtimeClassName, "
        "the node's GPU driver, spec.adapters.volume and spec.model.cache",
        node_remedy="raise spec.lorax.resources.requests (memory, ephemeral-storage) and spec.lorax.priorityClassName, "
        "and set spec.model.cache so that the weights don't fill the node's disk",
        security_remedy="LoRAX's image runs as root and needs baseline (hostPath volumes need privileged)",
        volumes=_volume_remedies(blueprint),
        secrets=_lorax_secrets(blueprint),
        gpu="" if claims else gpu.resource_name,
        device_claims=claims,
    )


def _volume_remedies(blueprint: Blueprint) -> str:
    cache, volume = blueprint.spec.model.cache, blueprint.spec.adapters.volume.persistent_volume_claim
    remedies: list[str] = []
    if cache is not None and cache.size is not None:
        name = cache.storage_class_name
        storage_class = f"StorageClass {name}" if name else "a default StorageClass"
        remedies.append(
            f"see that {storage_class} exists and provisions (spec.model.cache; {model_cache_name(blueprint.name)})"
        )
    if cache is not None and cache.claim_name is not None:
        remedies.append(f"give claim {cache.claim_name} a volume (spec.model.cache.claimName)")
    if volume is not None:
        remedies.append(f"give claim {volume.claim_name} a volume (spec.adapters.volume)")
    if (downloads := blueprint.spec.adapters.downloads.claim_name) is not None:
        remedies.append(f"give claim {downloads} a volume (spec.adapters.downloads.claimName)")
    return "; ".join(remedies) or "see `kubectl get pvc`"


def _lorax_secrets(blueprint: Blueprint) -> dict[str, str]:
    token = blueprint.spec.model.token_secret_ref
    named = {v.secret_key_ref.name: "spec.lorax.env" for v in blueprint.spec.lorax.env if v.secret_key_ref}
    return named | ({token.name: "spec.model.tokenSecretRef"} if token else {})


def _device_claims(blueprint: Blueprint) -> str:
    named = [
        f"ResourceClaim {claim.resource_claim_name}"
        if claim.resource_claim_name
        else f"ResourceClaimTemplate {claim.resource_claim_template_name}"
        for claim in blueprint.spec.lorax.resource_claims
    ]
    return " and ".join(named)


def _coordinator_secrets(blueprint: Blueprint) -> dict[str, str]:
    standard, redis = blueprint.spec.standard_inference, blueprint.spec.coordinator.conversations.redis
    field = "spec.coordinator.conversations.redis"
    named = {
        "spec.standardInference.apiKeySecretRef": standard.api_key_secret_ref if standard else None,
        f"{field}.passwordSecretRef": redis.password_secret_ref if redis else None,
        f"{field}.tls.caSecretRef": redis.tls.ca_secret_ref if redis and redis.tls else None,
    }
    return {reference.name: where for where, reference in named.items() if reference is not None}


def coordinator_messages(blueprint: Blueprint) -> WorkloadMessages:
    """Messages about the coordinator."""
    return WorkloadMessages(
        workload="the coordinator",
        container=coordinator.CONTAINER,
        starting="the coordinator is starting",
        needs=_api_keys_remedy(blueprint.auth.api_key_secret_ref),
        image_remedy="check the operator's BOARDROOM_IMAGE (by default its own image) and spec.imagePullSecrets",
        unschedulable_remedy="add a node or free some CPU and memory, or lower spec.coordinator.resources",
        crash_remedy="check spec.coordinator and the operator's AOS_* environment",
        memory_remedy="raise spec.coordinator.resources.limits.memory",
        start_remedy="check the operator's BOARDROOM_IMAGE",
        node_remedy="raise spec.coordinator.resources.requests",
        security_remedy="the coordinator itself meets restricted, so another policy is at work",
        secrets=_coordinator_secrets(blueprint),
    )


def _api_keys_remedy(reference: ApiKeySecretRef | None) -> str:
    """The remedy for a missing Secret of API keys. The operator may not read Secrets, so it names the remedy always."""
    if reference is None:
        return ""
    entry = f"--from-literal={reference.key or 'app'}=$(openssl rand -hex 32)"
    return (
        f"it lets nobody in until Secret {reference.name} (spec.coordinator.auth.apiKeySecretRef) holds an API key: "
        f"where it is missing, `kubectl create secret generic {reference.name} {entry}`"
    )
