"""The volume of the stack's own Prometheus, which Pulumi creates and deletes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as kubernetes

from components.cluster.cni_role import pod_identity_trust
from components.edges import known_after
from components.iam.iam_roles import make_role
from components.observability.names import CLAIM
from vllm_eks.pins.eks import EBS_CSI_DRIVER
from vllm_eks.specs.stack import IamSpec

EBS_POLICY = "service-role/AmazonEBSCSIDriverPolicyV2"
EBS_NAMESPACE, EBS_SERVICE_ACCOUNT = "kube-system", "ebs-csi-controller-sa"
DRIVER_TAG: Mapping[str, str] = {"ebs.csi.aws.com/cluster": "true"}
"""The managed policy lets the driver attach only volumes with this tag (aws-ebs-csi-driver 429e202, its page about
installation)."""
DRIVER = "ebs.csi.aws.com"
STORAGE_CLASS = "vllm-eks-prometheus"
core = kubernetes.core.v1


@dataclass(frozen=True, kw_only=True)
class PrometheusVolumeArgs:
    """The arguments of a PrometheusVolume."""

    cluster_name: pulumi.Input[str]
    namespace: pulumi.Input[str]
    gib: int
    zone: str
    """The zone of a system node. Prometheus can run only there."""
    driver_version: str
    partition: str
    iam: IamSpec = field(default_factory=IamSpec)
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


class PrometheusVolume(pulumi.ComponentResource):
    """An encrypted gp3 volume, its driver, and the claim that Prometheus uses.

    A volume that the driver creates for a claim is deleted by the driver, after the claim and without anything that
    Pulumi could wait for. If the driver goes first, the volume remains and costs money. So Pulumi creates the volume
    itself: a destroy deletes the pod, the claim, the volume, and then the driver.
    """

    claim: core.PersistentVolumeClaim

    def __init__(self, name: str, args: PrometheusVolumeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("vllm-eks:index:PrometheusVolume", name, {}, opts)
        self._name, self._args = name, args
        driver = self._driver()
        child, size = pulumi.ResourceOptions(parent=self), f"{args.gib}Gi"
        volume = aws.ebs.Volume(
            f"{name}-volume",
            availability_zone=args.zone,
            type="gp3",
            size=args.gib,
            encrypted=True,
            tags={**args.tags, **DRIVER_TAG, "Name": name},
            opts=pulumi.ResourceOptions(parent=self, depends_on=[driver]),
        )
        # Only for its permission to grow: without a class, a claim cannot grow.
        storage_class = kubernetes.storage.v1.StorageClass(
            f"{name}-class",
            metadata={"name": STORAGE_CLASS},
            provisioner=DRIVER,
            parameters={"type": "gp3", "encrypted": "true"},
            reclaim_policy="Retain",
            # The claim names its volume and is bound before there is a pod. Pulumi waits for that.
            volume_binding_mode="Immediate",
            allow_volume_expansion=True,
            opts=child,
        )
        persistent = core.PersistentVolume(
            f"{name}-persistent-volume",
            spec=core.PersistentVolumeSpecArgs(
                capacity={"storage": size},
                access_modes=["ReadWriteOnce"],
                storage_class_name=storage_class.metadata["name"],
                # Pulumi deletes the volume.
                persistent_volume_reclaim_policy="Retain",
                csi=core.CSIPersistentVolumeSourceArgs(driver=DRIVER, fs_type="ext4", volume_handle=volume.id),
                node_affinity=core.VolumeNodeAffinityArgs(required=_only_in(args.zone)),
                claim_ref=core.ObjectReferenceArgs(namespace=args.namespace, name=CLAIM),
            ),
            opts=child,
        )
        self.claim = core.PersistentVolumeClaim(
            f"{name}-claim",
            metadata={"name": CLAIM, "namespace": args.namespace},
            spec={
                "access_modes": ["ReadWriteOnce"],
                "storage_class_name": storage_class.metadata["name"],
                "volume_name": persistent.metadata["name"],
                "resources": {"requests": {"storage": size}},
            },
            opts=child,
        )
        self.register_outputs({"claim": self.claim.id})

    def _driver(self) -> aws.eks.Addon:
        name, args, child = self._name, self._args, pulumi.ResourceOptions(parent=self)
        role = make_role(f"{name}-driver-role", trust=pod_identity_trust(), iam=args.iam, tags=args.tags, opts=child)
        attachment = aws.iam.RolePolicyAttachment(
            f"{name}-driver-policy",
            role=role.name,
            policy_arn=f"arn:{args.partition}:iam::aws:policy/{EBS_POLICY}",
            opts=child,
        )
        association = aws.eks.PodIdentityAssociation(
            f"{name}-driver-association",
            cluster_name=args.cluster_name,
            namespace=EBS_NAMESPACE,
            service_account=EBS_SERVICE_ACCOUNT,
            role_arn=role.arn,
            tags=args.tags,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[attachment]),
        )
        return aws.eks.Addon(
            f"{name}-{EBS_CSI_DRIVER}",
            # Pods get credentials only if the association exists when they start.
            cluster_name=known_after(pulumi.Output.from_input(args.cluster_name), association),
            addon_name=EBS_CSI_DRIVER,
            addon_version=args.driver_version,
            resolve_conflicts_on_create="OVERWRITE",
            resolve_conflicts_on_update="OVERWRITE",
            tags=args.tags,
            opts=child,
        )


def _only_in(zone: str) -> core.NodeSelectorArgs:
    of_zone = core.NodeSelectorRequirementArgs(key="topology.kubernetes.io/zone", operator="In", values=[zone])
    return core.NodeSelectorArgs(node_selector_terms=[core.NodeSelectorTermArgs(match_expressions=[of_zone])])
