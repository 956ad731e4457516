"""Every role has the organization's permissions boundary and path, including the one of pulumi-eks."""

from dataclasses import replace
from pathlib import Path

import pulumi
import pytest

from components.cluster.cluster import Cluster
from components.iam.iam_roles import IamArgs, role_transforms
from components.network.network import Network, NetworkArgs
from components.weights.model_weights import ModelWeights
from tests.support.clusters import ARGS as CLUSTER
from tests.unit.components.test_existing import existing_cluster
from tests.unit.components.test_model_weights import ARGS as WEIGHTS
from vllm_eks.specs.network import NetworkSpec

BOUNDARY = "arn:aws:iam::123456789012:policy/boundary"
IAM = IamArgs(permissions_boundary=BOUNDARY, role_path="/platform/")
ROLE = "aws:iam/role:Role"


def everything(iam: IamArgs) -> None:
    Network("net", NetworkArgs(network=NetworkSpec(zones=["us-west-2a", "us-west-2b"]), region="us-west-2", iam=iam))
    Cluster("main", replace(CLUSTER, iam=iam))
    existing_cluster(iam=iam)
    bucket = pulumi.Output.from_input("bucket")
    ModelWeights("scout", replace(WEIGHTS, bucket=bucket, iam=iam))


def test_every_role_gets_boundary_and_path(engine) -> None:
    engine.run(lambda: everything(IAM))

    roles = engine.of_type(ROLE)
    assert len(roles) == 6
    assert {(one.inputs.get("permissionsBoundary"), one.inputs.get("path")) for one in roles} == {
        (BOUNDARY, "/platform/")
    }


def test_without_these_settings_roles_have_neither(engine) -> None:
    engine.run(lambda: everything(IamArgs()))

    assert all(not {"permissionsBoundary", "path"} & one.inputs.keys() for one in engine.of_type(ROLE))


def test_no_component_creates_a_role_directly() -> None:
    folder = Path(__file__).parents[3] / "components"
    makers = {path.name for path in folder.rglob("*.py") if "aws.iam.Role(" in path.read_text()}
    assert makers == {"iam_roles.py"}


def transformed(iam: IamArgs, type_: str) -> object:
    (transform,) = role_transforms(iam)
    args = pulumi.ResourceTransformArgs(
        custom=True, type_=type_, name="role", props={"tags": {}}, opts=pulumi.ResourceOptions()
    )
    result = transform(args)
    return result.props if isinstance(result, pulumi.ResourceTransformResult) else result


def test_the_control_plane_s_own_role_gets_them_by_a_transform() -> None:
    assert transformed(IAM, ROLE) == {"tags": {}, "permissionsBoundary": BOUNDARY, "path": "/platform/"}
    assert transformed(IamArgs(role_path="/p/"), ROLE) == {"tags": {}, "path": "/p/"}
    assert transformed(IAM, "aws:eks/cluster:Cluster") is None
    assert role_transforms(IamArgs()) == []


@pytest.mark.parametrize(("iam", "transforms"), [(IAM, 1), (IamArgs(), 0)])
def test_the_engine_is_given_the_transform_with_the_control_plane(engine, iam: IamArgs, transforms: int) -> None:
    engine.run(lambda: Cluster("main", replace(CLUSTER, iam=iam)))

    assert len(engine.only("eks:index:Cluster").request.transforms) == transforms
