"""The model keys for its GPU nodes."""

from typing import Annotated

from pydantic import AfterValidator, Field

from config.settings.base import InSchema, Settings, Zone, absent
from config.settings.bounds import Replicas
from config.values import network_rules
from vllm_eks.aws import names as aws_names
from vllm_eks.planner.search.gpu_nodes import ON_DEMAND, CapacityType


class NodeKeys(Settings):
    """The model, its nodes, their zones and their capacity type."""

    model: str = Field(
        description=(
            "The Hugging Face ID, such as meta-llama/Llama-4-Scout-17B-16E-Instruct. The model must be locked: "
            "`vllm_eks/data/models`, or `models/` next to the stack file, has a file for it, which `vllm-eks lock` "
            "writes. A folder next to the stack file, such as ./my-model, works too: it has `config.json` and, if the "
            "model has one, `model.safetensors.index.json`, and it needs `weights.s3Uri`."
        ),
        examples=["meta-llama/Llama-4-Scout-17B-16E-Instruct", "./my-model"],
    )
    instance_type: str = Field(
        description=(
            "The EC2 type of its GPU nodes, such as g5.48xlarge. `vllm-eks plan` compares all types in the catalogue."
        ),
        examples=["g5.48xlarge", "g6.12xlarge"],
    )
    # One of the two is required, which only a cross-field check can express.
    zone: Zone | None = Field(
        default=None,
        description="The availability zone of the GPU nodes, one of `network.zones`.",
        examples=["us-west-2a"],
        json_schema_extra=absent("required unless `zones` is set"),
    )
    zones: Annotated[
        tuple[Zone, ...], AfterValidator(network_rules.node_zones), InSchema(minItems=2, uniqueItems=True)
    ] = Field(
        default=(),
        strict=False,
        description=(
            "Two or more of `network.zones`, for a model with replicas. Each zone gets its own node group and an "
            "equal share of the replicas. No replica spans two zones. The first zone is the home zone: add others "
            "after it."
        ),
        examples=[["us-west-2a", "us-west-2b"]],
        json_schema_extra=absent("the zone in `zone`"),
    )
    capacity_type: CapacityType = Field(
        default=ON_DEMAND,
        description="How AWS provides the nodes. `capacityBlock` is only for P types and needs the ID of the block.",
        examples=["spot"],
    )
    capacity_reservation_id: (
        Annotated[str, AfterValidator(aws_names.capacity_reservation), InSchema(pattern=aws_names.CAPACITY_RESERVATION)]
        | None
    ) = Field(
        default=None,
        description="The ID of the capacity reservation or Capacity Block that provides all nodes.",
        examples=["cr-0123456789abcdef0"],
        json_schema_extra=absent("no reservation"),
    )
    capacity_reservation_group_arn: (
        Annotated[str, AfterValidator(aws_names.reservation_group), InSchema(pattern=aws_names.RESERVATION_GROUP)]
        | None
    ) = Field(
        default=None,
        description=(
            "The ARN of a resource group of capacity reservations that provides all nodes, instead of "
            "`capacityReservationId`."
        ),
        examples=["arn:aws:resource-groups:us-west-2:123456789012:group/gpu-reservations"],
        json_schema_extra=absent("no reservation"),
    )
    placement_group: Annotated[str, Field(min_length=1)] | None = Field(
        default=None,
        description=(
            "The cluster placement group that the reservation was created in. A reservation only provides instances "
            "in its group, or outside of any group if it has none."
        ),
        examples=["scout"],
        json_schema_extra=absent("the stack creates a group if a replica has several nodes and no reservation"),
    )
    parked: bool = Field(
        default=False,
        description="Removes the model's GPU nodes and pods. Its namespace, secrets and endpoint remain.",
        examples=[True],
    )
    replicas: Replicas = Field(
        default=1,
        description="The number of copies of the model, a multiple of the number of zones.",
        examples=[2],
    )
