"""The CNI's own role, through Pod Identity."""

import json

import pulumi

from components.cluster.cni_role import CniRole, CniRoleArgs


def build(*, partition: str = "aws") -> CniRole:
    return CniRole("main-cni", CniRoleArgs(cluster_name="vllm-dev", partition=partition, tags={"team": "serving"}))


def test_the_role_is_for_pods_and_holds_the_cni_s_policy_of_the_partition(engine) -> None:
    engine.run(lambda: build(partition="aws-cn"))

    trust = json.loads(engine.only("aws:iam/role:Role").inputs["assumeRolePolicy"])["Statement"]
    assert trust == [
        {
            "Effect": "Allow",
            "Principal": {"Service": "pods.eks.amazonaws.com"},
            "Action": ["sts:AssumeRole", "sts:TagSession"],
        }
    ]
    attached = engine.only("aws:iam/rolePolicyAttachment:RolePolicyAttachment").inputs
    assert attached == {"role": "main-cni-role", "policyArn": "arn:aws-cn:iam::aws:policy/AmazonEKS_CNI_Policy"}


def test_it_is_bound_only_to_the_service_account_of_vpc_cni(engine) -> None:
    engine.run(build)

    assert engine.only("aws:eks/podIdentityAssociation:PodIdentityAssociation").inputs == {
        "clusterName": "vllm-dev",
        "namespace": "kube-system",
        "serviceAccount": "aws-node",
        "roleArn": "arn:aws:offline:::main-cni-role",
        "tags": {"team": "serving"},
    }


def test_users_of_the_association_are_deleted_before_the_policy_is_detached(engine) -> None:
    def program() -> None:
        pulumi.CustomResource("test:index:User", "user", {"id": build().association.id})

    engine.run(program)

    assert "main-cni-association" in engine.only("test:index:User").depends_on
    association = engine.only("aws:eks/podIdentityAssociation:PodIdentityAssociation")
    assert "main-cni-AmazonEKS_CNI_Policy" in association.depends_on
