"""Placement of the LoRAX pods: node affinity as in a Pod, but bounded, and claims for devices (DRA)."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from boardroom.api.model import ATOMIC, Model, ObjectName, rule, validated_by
from boardroom.api.pods import LabelKey, LabelValue

DnsLabel = Annotated[str, StringConstraints(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]


class NodeSelectorRequirement(Model):
    """One requirement on a node's labels."""

    model_config = validated_by(
        rule(
            "!(self.operator in ['In', 'NotIn']) || (has(self.values) && self.values.size() > 0)",
            "operators In and NotIn need values",
            ".values",
        ),
        rule(
            "!(self.operator in ['Exists', 'DoesNotExist']) || !has(self.values) || self.values.size() == 0",
            "operators Exists and DoesNotExist take no values: leave them out",
            ".values",
        ),
        rule(
            "!(self.operator in ['Gt', 'Lt']) || "
            "(has(self.values) && self.values.size() == 1 && self.values[0].matches('^-?[0-9]+$'))",
            "operators Gt and Lt need exactly one value, a whole number in quotes",
            ".values",
        ),
    )
    key: LabelKey = Field(description="Label of the node, for example nvidia.com/gpu.product.")
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"] = Field(
        description="How the label's value compares with values."
    )
    values: tuple[LabelValue, ...] = Field(
        default=(), max_length=32, description="Values to compare with.", json_schema_extra=ATOMIC
    )


class NodeSelectorTerm(Model):
    """Requirements that a node must all meet."""

    match_expressions: tuple[NodeSelectorRequirement, ...] = Field(
        min_length=1, max_length=16, description="Requirements on the node's labels.", json_schema_extra=ATOMIC
    )


class NodeSelector(Model):
    """Terms of which a node must meet at least one."""

    node_selector_terms: tuple[NodeSelectorTerm, ...] = Field(
        min_length=1, max_length=8, description="Alternatives.", json_schema_extra=ATOMIC
    )


class PreferredSchedulingTerm(Model):
    """A preference among the nodes that meet the requirements."""

    weight: int = Field(ge=1, le=100, description="Weight against other preferences.")
    preference: NodeSelectorTerm = Field(description="The preferred nodes.")


class NodeAffinity(Model):
    """Which nodes the pod may or should run on, as in a Pod."""

    required_during_scheduling_ignored_during_execution: NodeSelector | None = Field(
        default=None, description="Nodes that the pod may run on."
    )
    preferred_during_scheduling_ignored_during_execution: tuple[PreferredSchedulingTerm, ...] = Field(
        default=(), max_length=8, description="Nodes that the scheduler prefers.", json_schema_extra=ATOMIC
    )


class Affinity(Model):
    """Node affinity, as in a Pod. Affinity to other pods is not supported."""

    node_affinity: NodeAffinity = Field(description="Which nodes the pod may or should run on.")


class ResourceClaim(Model):
    """A claim for devices (dynamic resource allocation, resource.k8s.io/v1) that the LoRAX container uses."""

    model_config = validated_by(
        rule(
            "has(self.resourceClaimName) != has(self.resourceClaimTemplateName)",
            "give either resourceClaimName (a claim that exists, shared by all pods that name it) or "
            "resourceClaimTemplateName (each pod gets a claim of its own)",
        )
    )
    name: DnsLabel = Field(description="Name of the claim within the pod.")
    resource_claim_name: ObjectName | None = Field(
        default=None, description="A ResourceClaim in the board's namespace. It outlives the pods."
    )
    resource_claim_template_name: ObjectName | None = Field(
        default=None, description="A ResourceClaimTemplate in the board's namespace. Each pod gets a claim of its own."
    )
