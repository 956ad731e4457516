"""Every role has the organization's permissions boundary and path, including the one of pulumi-eks."""

from pathlib import Path

import pulumi
import pytest

from components.cluster.cluster import Cluster
from components.iam.iam_roles import role_transforms
from components.network.network import Network, NetworkArgs
from components.weights.model_weights import ModelWeights
from tests.support.clusters import ARGS as CLUSTER
from tests.support.clusters import STACK
from tests.support.nested import replaced
from tests.unit.components.test_existing import existing_cluster
from tests.unit.components.test_model_weights import ARGS as WEIGHTS
from vllm_eks.specs.network import NetworkSpec
from vllm_eks.specs.stack import IamSpec

BOUNDARY = "arn:aws:iam::123456789012:policy/boundary"
IAM = IamSpec(permissions_boundary=BOUNDARY, role_path="/platform/")
ROLE = "aws:iam/role:Role"


def everything(iam: IamSpec) -> None:
    stack = replaced(STACK, iam=iam)
    Network("net", NetworkArgs(stack=stack, network=NetworkSpec(zones=["us-west-2a", "us-west-2b"])))
    Cluster("main", replaced(CLUSTER, iam=iam))
    existing_cluster(iam=iam)
    bucket = pulumi.Output.from_input("bucket")
    ModelWeights("scout", replaced(WEIGHTS, bucket=bucket, iam=iam))


def test_every_role_gets_boundary_and_path(engine) -> None:
    engine.run(lambda: everything(IAM))

    roles = engine.of_type(ROLE)
    assert len(roles) == 6
    assert {(one.inputs.get("permissionsBoundary"), one.inputs.get("path")) for one in roles} == {
        (BOUNDARY, "/platform/")
    }


def test_without_these_settings_roles_have_neither(engine) -> None:
    engine.run(lambda: everything(IamSpec()))

    assert all(not {"permissionsBoundary", "path"} & one.inputs.keys() for one in engine.of_type(ROLE))


def test_no_component_creates_a_role_directly() -> None:
    folder = Path(__file__).parents[3] / "components"
    makers = {path.name for path in folder.rglob("*.py") if "aws.iam.Role(" in path.read_text()}
    assert makers == {"iam_roles.py"}


def transformed(iam: IamSpec, type_: str) -> object:
    (transform,) = role_transforms(iam)
    args = pulumi.ResourceTransformArgs(
        custom=True, type_=type_, name="role", props={"tags": {}}, opts=pulumi.ResourceOptions()
    )
    result = transform(args)
    return result.props if isinstance(result, pulumi.ResourceTransformResult) else result


def test_the_control_plane_s_own_role_gets_them_by_a_transform() -> None:
    assert transformed(IAM, ROLE) == {"tags": {}, "permissionsBoundary": BOUNDARY, "path": "/platform/"}
    assert transformed(IamSpec(role_path="/p/"), ROLE) == {"tags": {}, "path": "/p/"}
    assert transformed(IAM, "aws:eks/cluster:Cluster") is None
    assert role_transforms(IamSpec()) == []


@pytest.mark.parametrize(("iam", "transforms"), [(IAM, 1), (IamSpec(), 0)])
def test_the_engine_is_given_the_transform_with_the_control_plane(engine, iam: IamSpec, transforms: int) -> None:
    engine.run(lambda: Cluster("main", replaced(CLUSTER, iam=iam)))

    assert len(engine.only("eks:index:Cluster").request.transforms) == transforms
