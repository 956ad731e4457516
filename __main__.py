"""The stack, read from top to bottom: load, plan, check, build, export."""

import pulumi
from pulumi import ResourceOptions

from checks.offline import run_checks
from checks.result import stop_on_failures
from components.accelerators import Accelerators, AcceleratorsArgs
from components.chart_folder import VLLM_CHART, chart_digest, chart_path
from components.chart_sources import EFA_DEVICE_PLUGIN, LEADER_WORKER_SET, NVIDIA_DEVICE_PLUGIN
from components.cluster import Cluster, ClusterArgs
from components.gpu_node_group import GpuNodeGroup, GpuNodeGroupArgs
from components.model_server import ModelServer, ModelServerArgs
from components.network import Network, NetworkArgs
from config.loader import load
from planner.release_values import ROOT_VOLUME_GIB, release_values, rollout_seconds
from planner.sizes import plan_sizes, total_usd_per_hour
from planner.suggest import plan_named

config = load()
stack, region, settings = config.cluster_name, config.region, config.settings
vpc, eks, charts, tags = settings.network, settings.cluster, settings.charts, settings.tags

# Pure arithmetic: a model that does not fit stops the program here, with the numbers.
plans = {name: plan_named(m.model, m.instance_type, m.serving_options()) for name, m in settings.models.items()}
checks = run_checks(plans, zones=settings.model_zones, region=region, open_questions=config.open_questions)
stop_on_failures(checks)

network = Network(stack, NetworkArgs(
    cidr=vpc.cidr, zones=vpc.zones, region=region, nat_gateways=vpc.nat_gateways, tags=tags,
))  # fmt: skip
cluster = Cluster(stack, ClusterArgs(
    cluster_name=stack, kubernetes_version=eks.kubernetes_version, node_release_version=eks.node_release_version,
    vpc_id=network.vpc_id, public_subnet_ids=network.public_subnet_ids, private_subnet_ids=network.private_subnet_ids,
    system_subnet_ids=[network.private_subnet_id(zone) for zone in vpc.system_zones],
    public_access_cidrs=eks.public_access_cidrs, admins=eks.admins, addon_versions=eks.addon_versions,
    kubeconfig_path=eks.kubeconfig_path, region=region, aws_profile=config.aws_profile,
    aws_role_arn=config.aws_role_arn, tags=tags,
), ResourceOptions(depends_on=[network]))  # fmt: skip
accelerators = Accelerators(stack, AcceleratorsArgs(
    nvidia_device_plugin=NVIDIA_DEVICE_PLUGIN.mirrored(charts.nvidia_device_plugin.over),
    leader_worker_set=LEADER_WORKER_SET.mirrored(charts.leader_worker_set.over),
    efa_device_plugin=EFA_DEVICE_PLUGIN.mirrored(charts.efa_device_plugin.over), efa=settings.any_efa,
), ResourceOptions(providers=[cluster.kubernetes], depends_on=[cluster]))  # fmt: skip

outputs, chart, digest = {}, chart_path(VLLM_CHART), chart_digest(VLLM_CHART)
for name, model in settings.models.items():
    machine = plans[name].instance
    nodes = GpuNodeGroup(f"{stack}-{name}", GpuNodeGroupArgs(
        cluster_name=cluster.cluster_name, node_role_arn=cluster.node_role_arn,
        security_group_id=cluster.node_security_group_id, subnet_id=network.private_subnet_id(model.zone),
        kubernetes_version=eks.kubernetes_version, node_release_version=eks.node_release_version,
        instance_type=machine.type, node_count=plans[name].total_nodes,
        efa_interfaces=machine.efa_interfaces * model.efa, has_local_nvme=machine.nvme_gb > 0,
        root_volume_gib=ROOT_VOLUME_GIB, labels={"vllm-eks/model": name}, tags=tags,
    ), ResourceOptions(depends_on=[cluster, network]))  # fmt: skip
    server = ModelServer(name, ModelServerArgs(
        namespace=f"vllm-{name}", chart=chart, chart_digest=digest,
        values=release_values(plans[name], model.serving(name)), timeout_seconds=rollout_seconds(plans[name]),
        node_group_id=nodes.node_group_id, launch_template_version=nodes.launch_template_version,
        hugging_face_token=config.hugging_face_token, api_key=config.api_key,
    ), ResourceOptions(providers=[cluster.kubernetes], depends_on=[accelerators, nodes]))  # fmt: skip
    outputs[name] = plan_sizes(plans[name]) | server.outputs

pulumi.export("models", outputs)
pulumi.export("usdPerHour", total_usd_per_hour(plans.values()))
pulumi.export("kubeconfig", cluster.kubeconfig)
