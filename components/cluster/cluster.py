"""The control plane, its add-ons and system nodes, and access to it."""

import hashlib
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
import pulumi_eks as eks
import pulumi_kubernetes as k8s

from components.cluster.access import cluster_kubeconfig, kubernetes_provider
from components.cluster.cni_role import CniRole, CniRoleArgs
from components.cluster.system_node_group import SystemNodeGroup, SystemNodeGroupArgs
from components.edges import known_after
from components.iam.iam_roles import role_transforms
from components.network.cluster_subnets import ClusterSubnets
from components.nodes.cluster_connection import ClusterConnection
from components.nodes.gpu_taint import ADDON_CONFIGURATION
from components.nodes.node_role import NodeRole, NodeRoleArgs
from vllm_eks.aws.partitions import aws_partition
from vllm_eks.specs.access import ClusterAccess
from vllm_eks.specs.cluster import ClusterSpec
from vllm_eks.specs.stack import StackSpec

CONTROL_PLANE_LOGS = ("api", "audit", "authenticator", "controllerManager", "scheduler")
LOG_RETENTION_DAYS = 90


@dataclass(frozen=True, kw_only=True)
class ClusterArgs:
    """The arguments of a Cluster. Values from other resources are Inputs."""

    stack: StackSpec
    cluster: ClusterSpec
    subnets: ClusterSubnets
    access: ClusterAccess


class Cluster(pulumi.ComponentResource):
    """An EKS cluster that is ready for controllers and GPU nodes."""

    cluster_name: pulumi.Output[str]
    """Known after the control plane, vpc-cni and kube-proxy exist."""
    kubernetes: k8s.Provider
    kubeconfig: pulumi.Output[str]
    """A secret. It gets tokens from the `aws` command."""
    node_role_arn: pulumi.Output[str]
    """Known after the role's policies are attached and the Pod Identity agent exists."""
    node_security_group_id: pulumi.Output[str]
    connection: ClusterConnection
    """What GPU node groups need to join the cluster."""

    def __init__(self, name: str, args: ClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("vllm-eks:index:Cluster", name, {}, opts)
        self._name = name
        self._args = args
        self._child = pulumi.ResourceOptions(parent=self)

        control_plane = self._control_plane(self._secrets_key(), self._log_group())
        self.cluster_name = control_plane.eks_cluster.name
        self.node_security_group_id = control_plane.eks_cluster.vpc_config.cluster_security_group_id
        self._after_control_plane = pulumi.ResourceOptions(parent=self, depends_on=[control_plane])

        pod_identity_agent = self._addon("eks-pod-identity-agent", self._after_control_plane)
        partition = aws_partition(args.access.deployer.region)
        node_role = NodeRoleArgs(partition=partition, iam=args.stack.iam, tags=args.stack.tags)
        role = NodeRole(f"{name}-node", node_role, opts=self._child)
        cni = CniRole(
            f"{name}-cni",
            CniRoleArgs(cluster_name=self.cluster_name, partition=partition, iam=args.stack.iam, tags=args.stack.tags),
            opts=self._after_control_plane,
        )
        # The CNI needs its role and the agent until the last node has released its network interfaces.
        self.node_role_arn = known_after(role.arn, pod_identity_agent, cni.association)
        system_nodes = self._system_nodes(control_plane, pod_identity_agent)
        # CoreDNS waits for a node. Inside eks.Cluster it would wait forever, because node groups wait for its outputs.
        after_nodes = pulumi.ResourceOptions(parent=self, depends_on=[control_plane, system_nodes.node_group])
        self._addon("coredns", after_nodes)
        self._addon("eks-node-monitoring-agent", after_nodes)

        self.connection = ClusterConnection(
            cluster_name=self.cluster_name,
            node_role_arn=self.node_role_arn,
            security_group_ids=[self.node_security_group_id],
            kubernetes_version=args.cluster.kubernetes_version,
            node_release_version=args.cluster.node_release_version,
        )
        self.kubeconfig = cluster_kubeconfig(
            args.access,
            endpoint=control_plane.eks_cluster.endpoint,
            certificate_authority=control_plane.eks_cluster.certificate_authority.data,
        )
        self.kubernetes = kubernetes_provider(
            f"{name}-kubernetes", args.access, self.kubeconfig, self._after_control_plane
        )
        self.register_outputs(
            {
                "cluster_name": self.cluster_name,
                "kubeconfig": self.kubeconfig,
                "node_role_arn": self.node_role_arn,
                "node_security_group_id": self.node_security_group_id,
            }
        )

    def _secrets_key(self) -> aws.kms.Key:
        key = aws.kms.Key(
            f"{self._name}-secrets",
            description=f"Encrypts the Kubernetes secrets of {self._args.access.cluster_name}",
            enable_key_rotation=True,
            tags=self._args.stack.tags,
            opts=self._child,
        )
        aws.kms.Alias(
            f"{self._name}-secrets",
            name=f"alias/eks/{self._args.access.cluster_name}",
            target_key_id=key.key_id,
            opts=self._child,
        )
        return key

    def _log_group(self) -> aws.cloudwatch.LogGroup:
        # Otherwise EKS creates the group itself, keeps its logs forever, and leaves it behind.
        return aws.cloudwatch.LogGroup(
            f"{self._name}-logs",
            name=f"/aws/eks/{self._args.access.cluster_name}/cluster",
            retention_in_days=LOG_RETENTION_DAYS,
            tags=self._args.stack.tags,
            opts=pulumi.ResourceOptions(parent=self, retain_on_delete=self._args.cluster.keep_logs),
        )

    def _control_plane(self, key: aws.kms.Key, logs: aws.cloudwatch.LogGroup) -> eks.Cluster:
        args, spec = self._args, self._args.cluster
        return eks.Cluster(
            f"{self._name}-control-plane",
            name=args.access.cluster_name,
            version=spec.kubernetes_version,
            upgrade_policy=aws.eks.ClusterUpgradePolicyArgs(support_type="STANDARD"),
            vpc_id=args.subnets.vpc_id,
            public_subnet_ids=args.subnets.public or None,
            private_subnet_ids=args.subnets.private,
            authentication_mode=eks.AuthenticationMode.API,
            access_entries={_entry_name(arn): self._admin_access(arn) for arn in spec.admins},
            endpoint_private_access=True,
            endpoint_public_access=bool(spec.public_access_cidrs),
            public_access_cidrs=spec.public_access_cidrs or None,
            encryption_config_key_arn=key.arn,
            deletion_protection=spec.deletion_protection,
            enabled_cluster_log_types=CONTROL_PLANE_LOGS,
            # All add-ons are managed by EKS, at pinned versions. Otherwise pulumi-eks looks up the newest ones on each
            # run.
            bootstrap_self_managed_addons=False,
            vpc_cni_options=eks.VpcCniOptionsArgs(
                addon_version=spec.addon_versions["vpc-cni"],
                # Without the agent, NetworkPolicies are accepted but have no effect.
                enable_network_policy=True,
            ),
            kube_proxy_addon_options=eks.KubeProxyAddonOptionsArgs(version=spec.addon_versions["kube-proxy"]),
            coredns_addon_options=eks.CoreDnsAddonOptionsArgs(enabled=False),
            skip_default_node_group=True,
            skip_default_security_groups=True,
            tags=args.stack.tags,
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[logs],
                # Nothing inside waits for the add-ons, so that a destroy that deletion protection stops does not first
                # delete vpc-cni.
                protect=spec.deletion_protection,
                transforms=role_transforms(args.stack.iam) or None,
            ),
        )

    def _admin_access(self, principal_arn: str) -> eks.AccessEntryArgs:
        partition = aws_partition(self._args.access.deployer.region)
        policy = f"arn:{partition}:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
        admin = eks.AccessPolicyAssociationArgs(
            policy_arn=policy,
            access_scope=aws.eks.AccessPolicyAssociationAccessScopeArgs(type="cluster"),
        )
        return eks.AccessEntryArgs(principal_arn=principal_arn, access_policies={"admin": admin})

    def _addon(self, addon_name: str, opts: pulumi.ResourceOptions) -> aws.eks.Addon:
        return aws.eks.Addon(
            f"{self._name}-{addon_name}",
            cluster_name=self.cluster_name,
            addon_name=addon_name,
            addon_version=self._args.cluster.addon_versions[addon_name],
            configuration_values=ADDON_CONFIGURATION.get(addon_name),
            resolve_conflicts_on_create="OVERWRITE",
            resolve_conflicts_on_update="OVERWRITE",
            tags=self._args.stack.tags,
            opts=opts,
        )

    def _system_nodes(self, control_plane: eks.Cluster, pod_identity_agent: aws.eks.Addon) -> SystemNodeGroup:
        args = self._args
        return SystemNodeGroup(
            f"{self._name}-system",
            SystemNodeGroupArgs(
                cluster_name=self.cluster_name,
                node_role_arn=self.node_role_arn,
                subnet_ids=args.subnets.for_system_nodes,
                kubernetes_version=args.cluster.kubernetes_version,
                node_release_version=args.cluster.node_release_version,
                instance_type=args.cluster.system_instance_type,
                tags=args.stack.tags,
                template_tags=args.stack.ownership_tag,
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[control_plane, pod_identity_agent]),
        )


def _entry_name(principal_arn: str) -> str:
    """Return a name for an admin's access entry. An ARN contains `::`, which is not allowed in a URN."""
    return f"{principal_arn.rpartition('/')[2]}-{hashlib.sha256(principal_arn.encode()).hexdigest()[:8]}"
