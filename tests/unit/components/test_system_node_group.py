import pulumi

from components.cluster.system_node_group import SystemNodeGroup, SystemNodeGroupArgs
from components.nodes.node_role import NodeRole, NodeRoleArgs


def system_nodes() -> SystemNodeGroup:
    return SystemNodeGroup(
        "main-system",
        SystemNodeGroupArgs(
            cluster_name="vllm-dev",
            node_role_arn="arn:aws:iam::123456789012:role/node",
            subnet_ids=["subnet-a", "subnet-b"],
            kubernetes_version="1.36",
            node_release_version="1.36.2-20260714",
            instance_type="m7i.large",
            tags={"team": "serving"},
            template_tags={"vllm-eks/stack": "vllm-dev"},
        ),
    )


def test_system_nodes_are_two_over_two_zones_at_a_pinned_image(engine) -> None:
    engine.run(system_nodes)

    assert engine.only("aws:eks/nodeGroup:NodeGroup").inputs == {
        "clusterName": "vllm-dev",
        "nodeRoleArn": "arn:aws:iam::123456789012:role/node",
        "subnetIds": ["subnet-a", "subnet-b"],
        "instanceTypes": ["m7i.large"],
        "amiType": "AL2023_x86_64_STANDARD",
        "version": "1.36",
        "releaseVersion": "1.36.2-20260714",
        "launchTemplate": {"id": "main-system-template-id", "version": "1"},
        "scalingConfig": {"minSize": 2, "desiredSize": 2, "maxSize": 2},
        "updateConfig": {"maxUnavailable": 1},
        "nodeRepairConfig": {"enabled": True},
        "tags": {"team": "serving", "Name": "main-system"},
    }


def test_their_template_is_hardened_and_free_of_the_stack_s_tags(engine) -> None:
    engine.run(system_nodes)

    assert engine.only("aws:ec2/launchTemplate:LaunchTemplate").inputs == {
        "blockDeviceMappings": [
            {
                "deviceName": "/dev/xvda",
                "ebs": {
                    "volumeType": "gp3",
                    "volumeSize": 50,
                    "encrypted": "true",
                    "deleteOnTermination": "true",
                },
            }
        ],
        "metadataOptions": {"httpEndpoint": "enabled", "httpTokens": "required", "httpPutResponseHopLimit": 1},
        "tagSpecifications": [
            {"resourceType": "instance", "tags": {"vllm-eks/stack": "vllm-dev", "Name": "main-system"}},
            {"resourceType": "volume", "tags": {"vllm-eks/stack": "vllm-dev", "Name": "main-system"}},
        ],
        "tags": {"vllm-eks/stack": "vllm-dev"},
        "updateDefaultVersion": True,
    }


def test_the_node_role_has_only_the_two_required_policies(engine) -> None:
    engine.run(lambda: NodeRole("node", NodeRoleArgs(partition="aws-cn")))

    assert "ec2.amazonaws.com" in engine.only("aws:iam/role:Role").inputs["assumeRolePolicy"]
    attached = engine.of_type("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
    assert {one.inputs["policyArn"] for one in attached} == {
        "arn:aws-cn:iam::aws:policy/AmazonEKSWorkerNodePolicy",
        "arn:aws-cn:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly",
    }
    assert {one.inputs["role"] for one in attached} == {"node-role"}


def test_users_of_the_node_role_are_deleted_before_a_policy_is_detached(engine) -> None:
    def program() -> None:
        role = NodeRole("node", NodeRoleArgs(partition="aws"))
        pulumi.CustomResource("test:index:User", "user", {"role": role.arn})

    engine.run(program)

    assert engine.only("test:index:User").inputs["role"] == "arn:aws:offline:::node-role"
    assert engine.only("test:index:User").depends_on == {
        "node-role",
        "node-AmazonEKSWorkerNodePolicy",
        "node-AmazonEC2ContainerRegistryPullOnly",
    }
