"""A load balancer and a model behind it, for component tests."""

from typing import Any

import pulumi

from components.endpoint.door_network import DoorNetwork
from components.endpoint.front_door import FrontDoor, FrontDoorArgs
from components.endpoint.model_door import ModelDoor, ModelDoorArgs
from vllm_eks.pins.charts import AWS_LOAD_BALANCER_CONTROLLER
from vllm_eks.specs.endpoint import EndpointSpec

CERTIFICATE = "arn:aws:acm:us-west-2:123456789012:certificate/01234567-89ab-cdef-0123-456789abcdef"
NETWORK = DoorNetwork(
    vpc_id="vpc-1",
    subnet_ids=["subnet-a", "subnet-b"],
    subnet_ranges=["10.0.0.0/20", "10.0.16.0/20"],
    vpc_ranges=["10.0.0.0/16"],
)
TAGS = {"team": "ml", "vllm-eks/stack": "vllm-dev"}


def spec(**changes: Any) -> EndpointSpec:
    """Return an internal load balancer with a certificate, with some settings changed."""
    given = {
        "scheme": "internal",
        "domain": "models.example.com",
        "hostnames": {"qwen3": "qwen3.models.example.com"},
        "certificate_arn": CERTIFICATE,
        **changes,
    }
    return EndpointSpec(**given)


def front_door(endpoint: EndpointSpec | None = None, **changes: Any) -> FrontDoor:
    """Create a load balancer, with some arguments changed."""
    given = {
        "endpoint": endpoint or spec(),
        "network": NETWORK,
        "cluster_name": "eks",
        "node_security_group_id": "sg-nodes",
        "region": "us-west-2",
        "stack": "vllm-dev",
        "controller": AWS_LOAD_BALANCER_CONTROLLER,
        "tags": TAGS,
        **changes,
    }
    return FrontDoor("door", FrontDoorArgs(**given))


def model_door(
    endpoint: EndpointSpec | None = None, *, key: str = "sk-1", parked: bool = False, asks: bool = False
) -> ModelDoor:
    """Create a model's part of a load balancer."""
    door = front_door(endpoint)
    args = ModelDoorArgs(door=door, api_key=pulumi.Output.secret(key), parked=parked, asks=asks)
    return ModelDoor("qwen3", args, pulumi.ResourceOptions(depends_on=[door]))
