"""The volume of Prometheus: what Pulumi creates, and that a destroy leaves nothing that costs money."""

from components.observability.volume import PrometheusVolume, PrometheusVolumeArgs
from tests.support.monitoring import RENDERS

ARGS = PrometheusVolumeArgs(
    cluster_name="vllm-dev",
    namespace="monitoring-system",
    gib=100,
    zone="us-west-2a",
    driver_version="v1.63.1-eksbuild.1",
    partition="aws",
    tags={"team": "serving", "vllm-eks/stack": "vllm-dev"},
)


def build() -> PrometheusVolume:
    return PrometheusVolume("prometheus", ARGS)


def test_the_volume_is_encrypted_tagged_for_the_driver_and_deleted_before_it(engine) -> None:
    engine.run(build)

    volume = engine.only("aws:ebs/volume:Volume")
    assert volume.inputs == {
        "availabilityZone": "us-west-2a",
        "type": "gp3",
        "size": 100,
        "encrypted": True,
        "tags": {
            "team": "serving",
            "vllm-eks/stack": "vllm-dev",
            # AmazonEBSCSIDriverPolicyV2 has a condition on this tag (aws-ebs-csi-driver 429e202).
            "ebs.csi.aws.com/cluster": "true",
            "Name": "prometheus",
        },
    }
    assert "prometheus-aws-ebs-csi-driver" in volume.depends_on


def test_the_driver_has_its_own_role_before_it_starts(engine) -> None:
    engine.run(build)

    addon = engine.only("aws:eks/addon:Addon")
    assert addon.inputs == {
        "clusterName": "vllm-dev",
        "addonName": "aws-ebs-csi-driver",
        "addonVersion": "v1.63.1-eksbuild.1",
        "resolveConflictsOnCreate": "OVERWRITE",
        "resolveConflictsOnUpdate": "OVERWRITE",
        "tags": ARGS.tags,
    }
    assert "prometheus-driver-association" in addon.depends_on
    association = engine.only("aws:eks/podIdentityAssociation:PodIdentityAssociation")
    assert (association.inputs["namespace"], association.inputs["serviceAccount"]) == (
        "kube-system",
        "ebs-csi-controller-sa",
    )
    assert "prometheus-driver-policy" in association.depends_on
    policy = engine.only("aws:iam/rolePolicyAttachment:RolePolicyAttachment").inputs["policyArn"]
    assert policy == "arn:aws:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicyV2"


def test_the_claim_is_bound_to_this_volume_and_has_the_name_that_prometheus_s_pod_looks_for(engine) -> None:
    engine.run(build)

    persistent = engine.only("kubernetes:core/v1:PersistentVolume")
    assert persistent.inputs["spec"] == {
        "capacity": {"storage": "100Gi"},
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "vllm-eks-prometheus",
        "persistentVolumeReclaimPolicy": "Retain",
        "csi": {"driver": "ebs.csi.aws.com", "fsType": "ext4", "volumeHandle": "prometheus-volume-id"},
        "nodeAffinity": {
            "required": {
                "nodeSelectorTerms": [
                    {
                        "matchExpressions": [
                            {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["us-west-2a"]}
                        ]
                    }
                ]
            }
        },
        "claimRef": {"namespace": "monitoring-system", "name": "data-prometheus-kube-prometheus-stack-0"},
    }
    claim = engine.only("kubernetes:core/v1:PersistentVolumeClaim")
    # <template's name>-<pod's name>. The pod's is prometheus-<name of the Prometheus>-0.
    (prometheus,) = [name for name in RENDERS["installed"]["custom"] if name.startswith("Prometheus ")]
    template = RENDERS["installed"]["custom"][prometheus]["storage"]["volumeClaimTemplate"]["metadata"]["name"]
    assert claim.inputs["metadata"] == {
        "name": f"{template}-prometheus-{prometheus.partition(' ')[2]}-0",
        "namespace": "monitoring-system",
    }
    assert claim.inputs["spec"] == {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "vllm-eks-prometheus",
        "volumeName": "prometheus-persistent-volume",
        "resources": {"requests": {"storage": "100Gi"}},
    }
    # Pulumi waits until the claim is gone, which is when no pod uses it.
    assert "annotations" not in claim.inputs["metadata"]
    assert "prometheus-persistent-volume" in claim.depends_on
    assert "prometheus-volume" in persistent.depends_on


def test_the_class_lets_the_claim_grow(engine) -> None:
    engine.run(build)

    made = engine.only("kubernetes:storage.k8s.io/v1:StorageClass").inputs
    assert (made["metadata"], made["provisioner"]) == ({"name": "vllm-eks-prometheus"}, "ebs.csi.aws.com")
    assert (made["allowVolumeExpansion"], made["parameters"]) == (True, {"type": "gp3", "encrypted": "true"})
