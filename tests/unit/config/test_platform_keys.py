"""Keys for a platform team: roles, images, groups of an existing cluster, system nodes, reservation groups."""

import json
from typing import Any

import pytest

from config.checked_stack import CheckedStack, WrongStack, check_stack
from vllm_eks.aws.names import system_instance_type
from vllm_eks.specs.cluster import ExistingClusterSpec
from vllm_eks.stack_files.stack_file import StackFile

MODEL = {"model": "Qwen/Qwen3-8B", "instanceType": "g6.12xlarge", "zone": "us-west-2a"}
GROUP = "arn:aws:resource-groups:us-west-2:123456789012:group/gpus"
SUBNETS = {"us-west-2a": "subnet-0123456789abcdef0", "us-west-2b": "subnet-0123456789abcdef1"}


def checked(**sections: Any) -> CheckedStack:
    given = {
        "network": {"existing": {"vpcId": "vpc-0123456789abcdef0", "subnets": SUBNETS}},
        "cluster": {"existing": "platform"},
        "models": {"q": MODEL},
        **sections,
    }
    config = {"aws:region": "us-west-2", **{f"vllm-eks:{key}": json.dumps(value) for key, value in given.items()}}
    return check_stack(StackFile(project="vllm-eks", stack="t", config=config, secret_keys=[]))


def errors(**sections: Any) -> list[str]:
    with pytest.raises(WrongStack) as wrong:
        checked(**sections)
    return [line.strip().removeprefix("vllm-eks:") for line in str(wrong.value).splitlines()[1:]]


def test_an_existing_cluster_is_a_name_or_a_name_with_security_groups() -> None:
    alone, both = (
        checked(cluster={"existing": existing}).settings.cluster
        for existing in ("platform", {"name": "platform", "securityGroupIds": ["sg-0123456789abcdef0"]})
    )
    assert alone.spec.existing == ExistingClusterSpec(name="platform")
    assert both.spec.existing == ExistingClusterSpec(name="platform", security_group_ids=("sg-0123456789abcdef0",))


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        (
            {"cluster": {"existing": "a b"}},
            "cluster.existing: 'a b' is not a valid EKS cluster name: use letters, digits, - and _, at most 100",
        ),
        (
            {"cluster": {"existing": {"securityGroupIds": ["sg-0123456789abcdef0"]}}},
            "cluster.existing.name: is missing: set the name of the EKS cluster",
        ),
        (
            {"cluster": {"existing": {"name": "p", "securityGroupIds": ["sg-x"]}}},
            "cluster.existing.securityGroupIds[0]: 'sg-x' is not the ID of a security group: use one such as "
            "sg-0123456789abcdef0",
        ),
        (
            {"cluster": {"existing": "p", "systemInstanceType": "m7i.large"}},
            "cluster.systemInstanceType: is only for a new cluster, and cluster.existing is set: remove it",
        ),
        (
            {"iam": {"permissionsBoundary": "boundary"}},
            "iam.permissionsBoundary: 'boundary' is not the ARN of a managed policy: use one such as "
            "arn:aws:iam::123456789012:policy/boundary",
        ),
        (
            {"iam": {"rolePath": "platform"}},
            "iam.rolePath: 'platform' is not an IAM path: it must begin and end with /, such as /platform/",
        ),
        (
            {"images": {"leaderWorkerSet": "registry.example.com/lws:latest"}},
            "images.leaderWorkerSet: 'registry.example.com/lws:latest' changes with each push: use a version tag or a "
            "digest (@sha256:...)",
        ),
        (
            {"models": {"q": {**MODEL, "capacityReservationGroupArn": "gpus"}}},
            "models.q.capacityReservationGroupArn: 'gpus' is not the ARN of a capacity reservation group: use one "
            "such as arn:aws:resource-groups:us-west-2:123456789012:group/gpu-reservations",
        ),
        (
            {"models": {"q": {**MODEL, "capacityReservationGroupArn": GROUP, "capacityReservationId": "cr-01234567"}}},
            "models.q.capacityReservationGroupArn: conflicts with capacityReservationId, because nodes come from only "
            "one of them: remove the other",
        ),
        (
            {"models": {"q": {**MODEL, "capacityReservationGroupArn": GROUP, "capacityType": "spot"}}},
            "models.q.capacityReservationGroupArn: conflicts with capacityType: spot, because spot instances never "
            "use a reservation: remove one",
        ),
    ],
    ids=lambda value: None if isinstance(value, str) else next(iter(value)),
)
def test_a_wrong_value_gets_one_line(sections: dict[str, Any], expected: str) -> None:
    assert errors(**sections) == [expected]


def test_a_model_of_a_reservation_group_may_name_its_placement_group() -> None:
    model = {**MODEL, "capacityReservationGroupArn": GROUP, "placementGroup": "ours"}
    assert checked(models={"q": model}).settings.models["q"].placement_group == "ours"


@pytest.mark.parametrize("name", ["m7i.large", "m7i-flex.large", "t3.medium", "c7a.metal-48xl"])
def test_system_nodes_may_be_any_suitable_x86_type(name: str) -> None:
    assert system_instance_type(name) == name


@pytest.mark.parametrize("name", ["m7g.large", "t4g.medium", "c8gn.xlarge", "a1.large", "im4gn.large", "x2gd.large"])
def test_arm_types_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is an Arm type, and system nodes must be x86-64"):
        system_instance_type(name)


@pytest.mark.parametrize("name", ["t3.micro", "large", "m7i.huge"])
def test_an_invalid_or_small_type_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is not an instance type for system nodes: use an x86-64 type"):
        system_instance_type(name)
