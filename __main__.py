"""The stack, read from top to bottom: load, plan, check, build, export."""

import pulumi
from pulumi import ResourceOptions

from checks.api import Place, open_account
from checks.result import stop_on_failures
from checks.stack import StackFacts, run_checks
from components.cluster.access import AccessArgs
from components.cluster.cluster import ClusterArgs
from components.cluster.existing_cluster import cluster_of
from components.controllers.accelerators import AcceleratorImages, Accelerators, AcceleratorsArgs
from components.controllers.chart_sources import mirrored
from components.iam.iam_roles import IamArgs
from components.network.existing_network import network_of
from components.network.network import NetworkArgs
from components.nodes.gpu_node_group import GpuNodeGroup, GpuNodeGroupArgs
from components.serving.chart_folder import VLLM_CHART, chart_digest, chart_path
from components.serving.helm_values import release_values, rollout_seconds
from components.serving.model_server import ModelServer, ModelServerArgs
from components.stack_outputs import plan_sizes, total_usd_per_hour
from components.weights.model_weights import ModelWeightsArgs, weights_of
from components.weights.weights_bucket import WeightsBucketArgs, bucket_of
from config.load import load
from vllm_eks.planner.search.suggest import plan_named
from vllm_eks.preview.planned_stack import PlannedStack, publish

config = load()
stack, region, settings, tags, mark = config.cluster_name, config.region, config.settings, config.tags, config.mark
vpc, eks, charts, models = settings.network, settings.cluster, settings.charts, settings.models
images = settings.images
iam = IamArgs(permissions_boundary=settings.iam.permissions_boundary, role_path=settings.iam.role_path)

# Pure arithmetic, then questions to the account: what does not fit or is not allowed stops here, with the numbers.
fleet = {
    name: m.gpu_nodes(plan_named(m.model, m.instance_type, m.serving_options(), region=region))
    for name, m in models.items()
}
account = open_account(Place(region=region, profile=config.aws_profile, role_arn=config.aws_role_arn))
found = run_checks(StackFacts(
    stack=stack, fleet=fleet, region=region, open_questions=config.open_questions,
    copies_weights=settings.any_copied_weights, permissions_boundary=iam.permissions_boundary,
    **vpc.facts, **eks.facts), account)  # fmt: skip
publish(PlannedStack(
    region=region, fleet=fleet, checks=found.checks, vpc_id=found.vpc_id, private_subnets=found.private_subnets,
))  # fmt: skip
stop_on_failures(found.checks)
network = network_of(stack, NetworkArgs(
    cidr=vpc.cidr, zones=vpc.zones, region=region, nat_gateways=vpc.nat_gateways, keep_logs=eks.keep_logs,
    iam=iam, tags=tags,
), vpc_id=found.vpc_id, private_subnets=found.private_subnets)  # fmt: skip
cluster = cluster_of(stack, ClusterArgs(
    access=AccessArgs(**config.cluster_access), vpc_id=network.vpc_id, addon_versions=eks.addon_versions, iam=iam,
    kubernetes_version=eks.kubernetes_version, node_release_version=eks.node_release_version,
    public_subnet_ids=network.public_subnet_ids, private_subnet_ids=network.private_subnet_ids,
    system_subnet_ids=[network.private_subnet_id(zone) for zone in vpc.system_zones],
    system_instance_type=eks.system_instance_type, public_access_cidrs=eks.public_access_cidrs, admins=eks.admins,
    tags=tags, template_tags=mark, deletion_protection=eks.deletion_protection, keep_logs=eks.keep_logs,
), existing=found.cluster, node_security_group_ids=eks.node_security_group_ids,
    opts=ResourceOptions(depends_on=[network]))  # fmt: skip
controller_images = AcceleratorImages(
    nvidia_device_plugin=images.nvidia_device_plugin,
    leader_worker_set=images.leader_worker_set,
    efa_device_plugin=images.efa_device_plugin,
)
accelerators = Accelerators(
    stack, AcceleratorsArgs(**mirrored(charts.overrides), efa=settings.any_efa, images=controller_images),
    ResourceOptions(providers=[cluster.kubernetes], depends_on=[cluster]))  # fmt: skip
outputs, chart, digest = {}, chart_path(VLLM_CHART), chart_digest(VLLM_CHART)
bucket = bucket_of(stack, WeightsBucketArgs(tags=tags), wanted=settings.any_copied_weights)
for name, model in models.items():
    weights = weights_of(name, ModelWeightsArgs(
        **model.weights_settings(name, fleet[name].plan), bucket=bucket, region=region, tags=tags,
        cluster_name=cluster.connection.cluster_name, hugging_face_token=config.hugging_face_token,
        copy_image=images.weights_copy, iam=iam,
    ), ResourceOptions(providers=[cluster.kubernetes], depends_on=[cluster]))  # fmt: skip
    # GPU nodes that wait for a copy would be paid for meanwhile.
    before_nodes = [cluster, network, *([weights] if weights else [])]
    groups = [GpuNodeGroup(group_name, GpuNodeGroupArgs(
        cluster=cluster.connection, nodes=fleet[name].spec_per_zone, subnet_id=network.private_subnet_id(zone),
        labels={"vllm-eks/model": name}, tags=tags, template_tags=mark,
    ), ResourceOptions(depends_on=before_nodes))
        for zone, group_name in fleet[name].group_names(stack, name)]  # fmt: skip
    server = ModelServer(name, ModelServerArgs(
        namespace=f"vllm-{name}", chart=chart, chart_digest=digest, weights=weights, **config.secrets,
        nodes=[group.nodes for group in groups], values=release_values(fleet[name], model.serving(name, images)),
        timeout_seconds=rollout_seconds(fleet[name].plan), protect=eks.deletion_protection,
    ), ResourceOptions(providers=[cluster.kubernetes], depends_on=[accelerators, *groups]))  # fmt: skip
    outputs[name] = plan_sizes(fleet[name]) | server.outputs

pulumi.export("models", outputs)
pulumi.export("usdPerHour", total_usd_per_hour(fleet.values()))
pulumi.export("kubeconfig", cluster.kubeconfig)
