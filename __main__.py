"""The stack, read from top to bottom: load, plan, check, build, export."""

import pulumi
from pulumi import ResourceOptions

from checks.api import open_account
from checks.result import stop_on_failures
from checks.stack import StackFacts, run_checks
from components.cluster.cluster import ClusterArgs
from components.cluster.existing_cluster import stack_cluster
from components.controllers.accelerators import Accelerators, AcceleratorsArgs
from components.endpoint.model_door import model_door
from components.endpoint.stack_door import DoorSite, stack_door
from components.iam.iam_roles import IamArgs
from components.logs.container_logs import ContainerLogs, ContainerLogsArgs
from components.network.cluster_subnets import cluster_subnets
from components.network.existing_network import stack_network
from components.network.network import NetworkArgs
from components.nodes.gpu_node_group import GpuNodeGroup, GpuNodeGroupArgs, model_label
from components.observability.model_monitors import ModelMonitors, ModelMonitorsArgs
from components.observability.monitoring import MonitoringArgs, stack_monitoring
from components.observability.rules import rules_of
from components.serving.chart_folder import VLLM_CHART, local_chart
from components.serving.helm_values import model_release
from components.serving.model_server import ModelServer, ModelServerArgs
from components.serving.namespaces import namespaces
from components.stack_outputs import model_outputs, total_usd_per_hour
from components.weights.model_weights import ModelWeightsArgs, s3_weights
from components.weights.weights_bucket import WeightsBucketArgs, weights_bucket_name
from config.load import load
from vllm_eks.monitoring.watched import WatchedStack, watched_models
from vllm_eks.preview.planned_stack import PlannedStack, publish

config = load()
stack, region, settings, tags = config.cluster_name, config.deployer.region, config.settings, config.tags
network_spec, cluster_spec = settings.network.spec, settings.cluster.spec
iam = IamArgs(permissions_boundary=settings.iam.permissions_boundary, role_path=settings.iam.role_path)

# First the plan, then checks of the account. A model that does not fit, or a failed check, stops the program here.
fleet = {name: model.gpu_nodes(model.plan(region=region)) for name, model in settings.models.items()}
facts = StackFacts(
    stack=stack,
    fleet=fleet,
    region=region,
    network=network_spec,
    cluster=cluster_spec,
    prometheus=settings.observability.spec.prometheus,
    permissions_boundary=iam.permissions_boundary,
    copies_weights=settings.any_copied_weights,
    logs=settings.observability.logs_spec is not None,
    endpoint=settings.endpoint_spec,
    open_questions=config.open_questions,
)
found = run_checks(facts, open_account(config.deployer))
publish(PlannedStack(region=region, fleet=fleet, checks=found.checks, existing_vpc=found.vpc))
stop_on_failures(found.checks)

network_args = NetworkArgs(network=network_spec, region=region, keep_logs=cluster_spec.keep_logs, iam=iam, tags=tags)
network = stack_network(stack, network_args, existing=found.vpc)
cluster_args = ClusterArgs(
    cluster=cluster_spec,
    subnets=cluster_subnets(network, network_spec.system_zones),
    access=config.cluster_access,
    iam=iam,
    tags=tags,
    template_tags=config.ownership_tag,
)
cluster = stack_cluster(stack, cluster_args, existing=found.control_plane, opts=ResourceOptions(depends_on=[network]))
in_cluster = ResourceOptions(providers=[cluster.kubernetes], depends_on=[cluster])
accelerators_args = AcceleratorsArgs(
    charts=settings.charts.sources, images=settings.images.controller_images, efa=settings.any_efa
)
accelerators = Accelerators(stack, accelerators_args, in_cluster)
if logs := settings.observability.logs_spec:
    logs_args = ContainerLogsArgs(
        stack=stack,
        logs=logs,
        models=list(settings.models),
        cluster_name=cluster.connection.cluster_name,
        region=region,
        charts=settings.charts.sources,
        image=settings.images.fluent_bit,
        keep_logs=cluster_spec.keep_logs,
        iam=iam,
        tags=tags,
    )
    ContainerLogs(f"{stack}-logs", logs_args, in_cluster)
watched = WatchedStack(
    name=stack,
    models=watched_models(fleet, namespaces=namespaces(fleet), levels=settings.levels, block_ends=found.block_ends),
    alerts=settings.observability.alerts.spec,
    endpoint=settings.probed_endpoint is not None,
)
monitoring_args = MonitoringArgs(
    prometheus=settings.observability.spec.prometheus,
    rules=rules_of(watched),
    cluster_name=cluster.connection.cluster_name,
    cluster_label=stack,
    region=region,
    cluster=cluster_spec,
    system_zones=network_spec.system_zones,
    charts=settings.charts.monitoring_sources,
    images=settings.images.monitoring_images,
    endpoint=settings.probed_endpoint,
    iam=iam,
    tags=tags,
)
monitoring = stack_monitoring(stack, monitoring_args, in_cluster)
bucket = weights_bucket_name(stack, WeightsBucketArgs(tags=tags), wanted=settings.any_copied_weights)
chart = local_chart(VLLM_CHART)
door_site = DoorSite(network=network, made_with=network_args, found_vpc=found.vpc, cluster=cluster.connection)
door = stack_door(stack, settings.endpoint_spec, door_site, accelerators_args, in_cluster)

outputs = {}
servers: dict[str, ModelServer] = {}
for name, model in settings.models.items():
    weights_args = ModelWeightsArgs(
        weights=model.weights_spec(fleet[name].plan),
        bucket=bucket,
        cluster_name=cluster.connection.cluster_name,
        region=region,
        hugging_face_token=config.secrets.hugging_face_token,
        copy_image=settings.images.weights_copy,
        iam=iam,
        tags=tags,
    )
    weights = s3_weights(name, weights_args, in_cluster)
    # GPU nodes that wait for a copy would cost money.
    before_nodes = ResourceOptions(depends_on=[cluster, network, *([weights] if weights else [])])
    groups: list[GpuNodeGroup] = []
    for zone, group_name in fleet[name].group_names(stack, name):
        group_args = GpuNodeGroupArgs(
            cluster=cluster.connection,
            nodes=fleet[name].spec_per_zone,
            subnet_id=network.private_subnet_id(zone),
            labels=model_label(name),
            tags=tags,
            template_tags=config.ownership_tag,
        )
        groups.append(GpuNodeGroup(group_name, group_args, before_nodes))
    server_args = ModelServerArgs(
        release=model_release(fleet[name], model.serving_spec(name, settings.images)),
        chart=chart,
        nodes=[group.nodes for group in groups],
        secrets=config.secrets,
        weights=weights,
        url=settings.url(name),
        protect=cluster_spec.deletion_protection,
    )
    after_nodes = ResourceOptions(providers=[cluster.kubernetes], depends_on=[accelerators, *groups])
    servers[name] = ModelServer(name, server_args, after_nodes)
    behind = model_door(name, door, servers[name], parked=fleet[name].parked, offline=found.offline, opts=in_cluster)
    outputs[name] = model_outputs(fleet[name], servers[name], behind)

if monitoring:
    monitors_args = ModelMonitorsArgs(monitoring=monitoring, servers=servers, charts=settings.charts.sources)
    after_operator = ResourceOptions(providers=[cluster.kubernetes], depends_on=[monitoring, accelerators])
    ModelMonitors(stack, monitors_args, after_operator)
    pulumi.export("monitoring", monitoring.outputs)

pulumi.export("models", outputs)
pulumi.export("usdPerHour", total_usd_per_hour(fleet.values()))
pulumi.export("kubeconfig", cluster.kubeconfig)
