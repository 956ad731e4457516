"""The AWS Load Balancer Controller of a load balancer: its permissions, and values that keep it away from the rest."""

import json
from pathlib import Path

from tests.support.front_doors import front_door


def test_the_controller_may_only_bind_targets_of_this_stack(engine) -> None:
    engine.run(front_door)

    policy = json.loads(engine.only("aws:iam/rolePolicy:RolePolicy").inputs["policy"])
    assert policy["Statement"] == [
        {
            "Effect": "Allow",
            "Action": [
                "elasticloadbalancing:DescribeTargetGroups",
                "elasticloadbalancing:DescribeTargetHealth",
                "ec2:DescribeVpcs",
                "ec2:DescribeSecurityGroups",
            ],
            "Resource": "*",
        },
        {
            "Effect": "Allow",
            "Action": ["elasticloadbalancing:RegisterTargets", "elasticloadbalancing:DeregisterTargets"],
            "Resource": "arn:aws:elasticloadbalancing:us-west-2:*:targetgroup/*",
            "Condition": {"StringEquals": {"aws:ResourceTag/vllm-eks/stack": "vllm-dev"}},
        },
    ]
    association = engine.only("aws:eks/podIdentityAssociation:PodIdentityAssociation")
    assert (association.inputs["namespace"], association.inputs["serviceAccount"]) == (
        "kube-system",
        "aws-load-balancer-controller",
    )
    assert association.depends_on >= {"door-binder-policy"}


def test_the_controller_touches_no_other_service_ingress_or_pod_of_the_cluster(engine) -> None:
    engine.run(lambda: front_door(controller_image="registry.example.com/lbc:v3.5.0"))

    release = engine.only("kubernetes:helm.sh/v3:Release")
    assert {key: value for key, value in release.inputs.items() if key not in ("compat", "values")} == {
        "name": "aws-load-balancer-controller",
        "namespace": "kube-system",
        "chart": "aws-load-balancer-controller",
        "version": "3.5.0",
        "repositoryOpts": {"repo": "https://aws.github.io/eks-charts"},
        "timeout": 600,
        "maxHistory": 5,
    }
    assert release.inputs["values"] == {
        "clusterName": "eks",
        "region": "us-west-2",
        "vpcId": "vpc-1",
        "serviceAccount": {"name": "aws-load-balancer-controller"},
        "replicaCount": 2,
        "podDisruptionBudget": {"maxUnavailable": 1},
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}},
        "enableServiceMutatorWebhook": False,
        "webhookConfig": {"disableIngressValidation": True},
        "enablePodReadinessGateInject": False,
        "createIngressClassResource": False,
        "disableIngressClassAnnotation": True,
        "enableShield": False,
        "enableWaf": False,
        "enableWafv2": False,
        "enableBackendSecurityGroup": False,
        "controllerConfig": {
            "featureGates": {"EnableServiceController": False, "NLBGatewayAPI": False, "ALBGatewayAPI": False}
        },
        "keepTLSSecret": True,
        "image": {"repository": "registry.example.com/lbc", "tag": "v3.5.0"},
    }
    assert release.depends_on >= {"door-binder-association"}
    assert release.request.deleteBeforeReplace


def test_every_value_of_the_controller_is_a_value_of_its_chart(engine) -> None:
    engine.run(lambda: front_door(controller_image="registry.example.com/lbc:v3.5.0"))
    facts = json.loads((Path(__file__).parents[2] / "data" / "load_balancer_controller.json").read_text())

    release = engine.only("kubernetes:helm.sh/v3:Release")

    assert release.inputs["version"] == facts["chart"]
    assert set(release.inputs["values"]) <= set(facts["values"])
    assert set(release.inputs["values"]["controllerConfig"]["featureGates"]) <= set(facts["featureGates"])


def test_an_existing_controller_is_not_installed_and_gets_no_role(engine) -> None:
    engine.run(lambda: front_door(controller=None))

    assert "door-binder" not in engine.children()
    assert engine.of_type("aws:iam/role:Role") == []
