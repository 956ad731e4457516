"""The stack, read from top to bottom: load, plan, check, build, export."""

import pulumi
from pulumi import ResourceOptions

from checks.api import open_account
from checks.result import stop_on_failures
from checks.stack import StackFacts, run_checks
from components.cluster.cluster import ClusterArgs
from components.cluster.existing_cluster import stack_cluster
from components.controllers.accelerators import Accelerators
from components.endpoint.model_door import model_door
from components.endpoint.stack_door import DoorSite, stack_door
from components.logs.container_logs import stack_logs
from components.network.cluster_subnets import cluster_subnets
from components.network.existing_network import stack_network
from components.network.network import NetworkArgs
from components.nodes.model_node_groups import NodeSite, model_node_groups
from components.observability.model_monitors import ModelMonitors, ModelMonitorsArgs
from components.observability.monitoring import MonitoringArgs, before_nodes, stack_monitoring
from components.observability.rules import rules_of
from components.serving.chart_folder import VLLM_CHART, local_chart
from components.serving.helm_values import model_release
from components.serving.model_server import ModelServer, ModelServerArgs
from components.serving.namespaces import namespaces
from components.stack_outputs import model_outputs, total_usd_per_hour
from components.weights.model_weights import ModelWeightsArgs, s3_weights
from components.weights.weights_bucket import WeightsBucketArgs, weights_bucket_name
from config.load import load
from vllm_eks.monitoring.watched import watched_models
from vllm_eks.preview.planned_stack import PlannedStack, publish

config = load()
stack, settings = config.spec, config.settings
network_spec, cluster_spec = settings.network.spec, settings.cluster.spec
controllers = settings.controllers_spec

# First the plan, then checks of the account. A model that does not fit, or a failed check, stops the program here.
fleet = {name: model.gpu_nodes(model.plan(region=stack.region)) for name, model in settings.models.items()}
facts = StackFacts(
    spec=stack,
    fleet=fleet,
    network=network_spec,
    cluster=cluster_spec,
    prometheus=settings.observability.spec.prometheus,
    copies_weights=settings.any_copied_weights,
    logs=settings.logs_spec is not None,
    endpoint=settings.endpoint_spec,
    open_questions=config.open_questions,
)
found = run_checks(facts, open_account(config.deployer))
clients = {name: config.secrets.clients_of(name) for name in fleet if config.secrets.named_keys}
publish(PlannedStack(region=stack.region, fleet=fleet, checks=found.checks, existing_vpc=found.vpc, clients=clients))
stop_on_failures(found.checks)

network_args = NetworkArgs(stack=stack, network=network_spec, keep_logs=cluster_spec.keep_logs)
network = stack_network(stack.name, network_args, existing=found.vpc)
cluster_args = ClusterArgs(
    stack=stack,
    cluster=cluster_spec,
    subnets=cluster_subnets(network, network_spec.system_zones),
    access=config.cluster_access,
)
after_network = ResourceOptions(depends_on=[network])
cluster = stack_cluster(stack.name, cluster_args, existing=found.control_plane, opts=after_network)
cluster_name = cluster.connection.cluster_name
in_cluster = ResourceOptions(providers=[cluster.kubernetes], depends_on=[cluster])
accelerators = Accelerators(stack.name, controllers, in_cluster)
stack_logs(stack, settings.logs_spec, controllers, cluster_name, in_cluster)
monitoring_spec = settings.monitoring_spec(found.vpc)
watched = watched_models(fleet, namespaces=namespaces(fleet), levels=settings.levels, block_ends=found.block_ends)
monitoring_args = MonitoringArgs(
    stack=stack,
    monitoring=monitoring_spec,
    rules=rules_of(stack.name, watched, monitoring_spec),
    cluster_name=cluster_name,
    cluster=cluster_spec,
    system_zones=network_spec.system_zones,
)
monitoring = stack_monitoring(stack.name, monitoring_args, in_cluster)
bucket = weights_bucket_name(stack.name, WeightsBucketArgs(tags=stack.tags), wanted=settings.any_copied_weights)
chart = local_chart(VLLM_CHART)
door_site = DoorSite(network=network, made_with=network_args, found_vpc=found.vpc, cluster=cluster.connection)
door = stack_door(settings.endpoint_spec, door_site, controllers, in_cluster)
node_site = NodeSite(stack=stack, network=network, cluster=cluster.connection)

outputs = {}
servers: dict[str, ModelServer] = {}
for name, model in settings.models.items():
    weights_args = ModelWeightsArgs(
        stack=stack,
        weights=model.weights_spec(fleet[name].plan),
        bucket=bucket,
        cluster_name=cluster_name,
        hugging_face_token=config.secrets.hugging_face_token,
        copy_image=settings.images.weights_copy,
    )
    weights = s3_weights(name, weights_args, in_cluster)
    # GPU nodes that wait for a copy, or for an operator that is not there, would cost money.
    first = [cluster, network, *([weights] if weights else []), *before_nodes(monitoring)]
    groups = model_node_groups(name, fleet[name], node_site, ResourceOptions(depends_on=first))
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
    monitors_args = ModelMonitorsArgs(monitoring=monitoring, servers=servers, charts=controllers.charts)
    after_operator = ResourceOptions(providers=[cluster.kubernetes], depends_on=[monitoring, accelerators])
    ModelMonitors(stack.name, monitors_args, after_operator)
    pulumi.export("monitoring", monitoring.outputs)
if door:
    pulumi.export("loadBalancer", door.outputs)
pulumi.export("models", outputs)
pulumi.export("usdPerHour", total_usd_per_hour(fleet.values()))
pulumi.export("kubeconfig", cluster.kubeconfig)
