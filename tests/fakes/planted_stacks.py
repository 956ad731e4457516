"""Leftovers of the stack vllm-eks-dev in a moto account, and resources of others."""

from tests.fakes.planted_aws import CLAIM, MARK, NEIGHBOUR, NODE, OURS, STRANGE_TAGS, Gardener, owned


def plant_ours(garden: Gardener) -> None:
    """Resources of every kind except the cluster, after a destroy that failed."""
    garden.network(MARK)
    garden.interface({"cluster.k8s.amazonaws.com/name": OURS, "node.k8s.amazonaws.com/instance_id": NODE})
    garden.interface({}, f"aws-K8S-{NODE}")
    garden.interface({}, f"Amazon EKS {OURS}")
    garden.volume(
        {**owned(OURS), "ebs.csi.aws.com/cluster": "true", **CLAIM},
        size=50,
    )
    garden.volume({"ebs.csi.aws.com/cluster-name": OURS, **owned(OURS)})
    garden.security_group({"elbv2.k8s.aws/cluster": OURS}, "k8s-traffic-dev")
    door = garden.security_group(MARK, "endpoint")
    garden.group_rule(MARK, garden.security_group({}, "of-another"), door)
    garden.group_rule(MARK, door, door)
    garden.security_group({"aws:eks:cluster-name": OURS, **owned(OURS)}, f"eks-cluster-sg-{OURS}-1")
    garden.instance({"eks:cluster-name": OURS, **owned(OURS)})
    garden.nat_gateway(MARK)
    garden.endpoint(MARK, "Gateway")
    garden.endpoint(MARK, "Interface")
    garden.launch_template(MARK, f"{OURS}-scout-template")
    garden.placement_group(MARK, f"{OURS}-scout-placement")
    garden.route_table(MARK)
    garden.internet_gateway(MARK, attached=True)
    garden.classic_load_balancer(owned(OURS), "a0123456789abcdef")
    garden.load_balancer(MARK, f"{OURS}-endpoint", "application")
    garden.target_group(MARK, f"{OURS}-scout")
    garden.load_balancer({"elbv2.k8s.aws/cluster": OURS}, "k8s-vllm-scout")
    garden.target_group({"elbv2.k8s.aws/cluster": OURS}, "k8s-vllm-scout-tg")
    garden.auto_scaling_group({"eks:cluster-name": OURS}, "eks-scout-1")
    garden.log_group({}, f"/aws/eks/{OURS}/cluster")
    garden.log_group(MARK, f"/aws/eks/{OURS}/models")
    garden.workspace(MARK, OURS)
    garden.pod_role(MARK, f"{OURS}-logs-role-0a1b2c3")
    garden.log_group(MARK, f"{OURS}-flow-logs-log-group-0a1b2c3")
    garden.key(MARK, alias=f"alias/eks/{OURS}")
    garden.key(MARK, dying=True)


def plant_strangers(garden: Gardener) -> set[str]:
    """Resources of others of every kind, with all tags that must not count, in the VPC of `garden`."""
    strange: set[str] = set()
    for number, tags in enumerate(STRANGE_TAGS.values()):
        group = garden.security_group(tags, f"{OURS}-referred-{number}")
        strange |= {
            group,
            garden.interface(tags, "ELB app/someone"),
            garden.volume(tags),
            garden.security_group(tags, f"{OURS}-group-{number}"),
            garden.instance(tags),
            *garden.nat_gateway(tags),
            garden.endpoint(tags, "Interface"),
            garden.launch_template(tags, f"{OURS}-template-{number}"),
            garden.placement_group(tags, f"{OURS}-placement-{number}"),
            garden.route_table(tags),
            garden.internet_gateway(tags, attached=False),
            garden.classic_load_balancer(tags, f"{OURS}-{number}"),
            garden.load_balancer(tags, f"{OURS}-{number}"),
            garden.target_group(tags, f"{OURS}-{number}"),
            garden.auto_scaling_group(tags, f"{OURS}-asg-{number}"),
            garden.log_group(tags, f"{OURS}-flow-logs-log-group-{number}"),
            garden.group_rule(tags, group, group),
            garden.workspace(tags, OURS),
            garden.pod_role(tags, f"{OURS}-logs-role-{number}"),
            garden.key(tags, alias=f"alias/eks/{OURS}-{number}"),
            garden.key(tags, dying=True),
        }
    return strange | _strange_names(garden)


def _strange_names(garden: Gardener) -> set[str]:
    return {
        garden.interface({}, f"aws-K8S-{NODE} of others"),
        garden.interface({"cluster.k8s.amazonaws.com/name": NEIGHBOUR}, f"aws-K8S-{NODE}"),
        garden.interface({}, f"Amazon EKS {NEIGHBOUR}"),
        garden.log_group({}, f"/aws/eks/{NEIGHBOUR}/cluster"),
        garden.log_group({}, f"/aws/eks/{OURS}/cluster-old"),
        garden.log_group({}, f"/aws/eks/{NEIGHBOUR}/models"),
        garden.log_group(MARK | {"vllm-eks/stack": NEIGHBOUR}, f"/aws/eks/{OURS}/models-of-others"),
        garden.pod_role(MARK, f"{OURS}-node-role", service="ec2.amazonaws.com"),
        garden.log_group(MARK | {"vllm-eks/stack": NEIGHBOUR}, f"/aws/eks/{OURS}/cluster2"),
    }


def plant_strange_network(garden: Gardener) -> set[str]:
    """An existing VPC with the stack's cluster, and the interfaces of another stack in it."""
    garden.network(owned(OURS, "shared"))
    return {garden.vpc, garden.subnet, garden.interface({}, f"aws-K8S-{NODE}")}
