"""The settings of a minimal stack: all defaults."""

from typing import Any

import botocore.session
import pytest

from config.settings.base import Settings
from config.settings.charts import ChartOverride, ChartsSettings
from config.settings.client import ClientSettings
from config.settings.cluster import ClusterSettings
from config.settings.endpoint import AccessLogsSettings, EndpointSettings
from config.settings.existing import ExistingClusterSettings, ExistingNetworkSettings
from config.settings.iam import IamSettings
from config.settings.images import ImagesSettings
from config.settings.model import ModelSettings
from config.settings.model_keys.source import WeightsSettings
from config.settings.model_keys.traffic import TrafficSettings
from config.settings.network import NetworkSettings
from config.settings.observability import ObservabilitySettings
from config.settings.observability_keys.alerts import AlertsSettings
from vllm_eks.aws.partitions import aws_partition
from vllm_eks.aws.regions import REGIONS, WITHOUT_MANAGED_PROMETHEUS
from vllm_eks.pins.eks import ADDON_VERSIONS, COPY_IMAGE, SYSTEM_INSTANCE_TYPE
from vllm_eks.planner.engine.images import DEFAULT_IMAGE, READINESS_IMAGE

MUST = {
    ModelSettings: {"model": "m", "instanceType": "t"},
    ExistingNetworkSettings: {"vpcId": "vpc-0123456789abcdef0"},
    ExistingClusterSettings: {"name": "eks"},
    EndpointSettings: {"scheme": "internal", "domain": "models.example.com"},
    AccessLogsSettings: {"bucket": "acme-logs"},
}
DEFAULTS: dict[type[Settings], dict[str, Any]] = {
    NetworkSettings: {"zones": (), "cidr": "10.0.0.0/16", "natGateways": "single", "existing": None},
    ExistingNetworkSettings: {"vpcId": "vpc-0123456789abcdef0", "subnets": {}, "subnetTags": {}},
    ExistingClusterSettings: {"name": "eks", "securityGroupIds": ()},
    IamSettings: {"permissionsBoundary": None, "rolePath": None},
    ClusterSettings: {
        "existing": None,
        "publicAccessCidrs": (),
        "kubernetesVersion": "1.36",
        "addonVersions": {},
        "nodeReleaseVersion": None,
        "admins": (),
        "systemInstanceType": SYSTEM_INSTANCE_TYPE,
        "kubeconfigPath": None,
        "deletionProtection": False,
        "keepLogs": False,
    },
    ClientSettings: {"models": None},
    EndpointSettings: {
        "scheme": "internal",
        "domain": "models.example.com",
        "sourceRanges": (),
        "publicSubnets": {},
        **dict.fromkeys(("certificateArn", "hostedZoneId", "webAclArn", "accessLogs")),
    },
    AccessLogsSettings: {"bucket": "acme-logs", "prefix": None},
    ChartOverride: {"install": True, "repository": None, "version": None, "path": None},
    ChartsSettings: {
        "nvidiaDevicePlugin": ChartOverride(),
        "efaDevicePlugin": ChartOverride(),
        "leaderWorkerSet": ChartOverride(),
        "kubePrometheusStack": ChartOverride(),
        "dcgmExporter": ChartOverride(),
        "blackboxExporter": ChartOverride(),
        "awsLoadBalancerController": ChartOverride(),
        "fluentBit": ChartOverride(),
    },
    AlertsSettings: {
        "ttft": None,
        "itl": None,
        "e2e": None,
        "monthlyBudgetUsd": None,
        "certificateDays": 21,
        "capacityBlockHours": 24,
        "runbookBaseUrl": None,
        "off": (),
    },
    ObservabilitySettings: {
        "prometheus": None,
        "retentionDays": 15,
        "storageGib": 50,
        **dict.fromkeys(("storageClass", "alertmanagerConfigSecret", "prometheusNamespace", "workspaceArn")),
        **{"prometheusLabels": {}, "alertTopicArn": None, "logs": None, "logRetentionDays": 30},
        "alerts": AlertsSettings(),
    },
    ImagesSettings: {
        "vllm": DEFAULT_IMAGE,
        "hook": READINESS_IMAGE,
        "weightsCopy": COPY_IMAGE,
        "leaderWorkerSet": None,
        "nvidiaDevicePlugin": None,
        "efaDevicePlugin": None,
        **dict.fromkeys(("dcgmExporter", "monitoringRegistry")),
        "awsLoadBalancerController": None,
        "fluentBit": None,
    },
    WeightsSettings: {"source": "huggingFace", "s3Uri": None},
    TrafficSettings: dict.fromkeys(
        (
            *("requestsPerSecond", "concurrentUsers", "thinkTime", "workload", "input", "output", "dataset"),
            *("sharedPrefix", "ttft", "itl", "e2e"),
        )
    ),
    ModelSettings: {
        "model": "m",
        "instanceType": "t",
        "planned": True,
        "weights": WeightsSettings(),
        "capacityType": "onDemand",
        "replicas": 1,
        **dict.fromkeys(("parked", "enforceEager", "enableExpertParallel", "efa"), False),
        **dict.fromkeys(("zones", "servedNames", "extraArgs", "clientNamespaces"), ()),
        "env": {},
        "loraModules": {},
        **dict.fromkeys(
            (
                *(
                    "zone",
                    "capacityReservationId",
                    "capacityReservationGroupArn",
                    "placementGroup",
                    "revision",
                    *("weightsGib", "ropeScaling", "measuredStepFactor", "traffic"),
                ),
                *("tensorParallelSize", "pipelineParallelSize", "maxModelLen", "gpuMemoryUtilization", "maxNumSeqs"),
                *("maxNumBatchedTokens", "kvCacheDtype", "limitMmPerPrompt", "image", "vllmVersion", "toolCallParser"),
                *(
                    "reasoningParser",
                    "enablePrefixCaching",
                    "enableChunkedPrefill",
                    "maxLoras",
                    "maxLoraRank",
                    "hostname",
                ),
            ),
            None,
        ),
    },
}


@pytest.mark.parametrize("section", DEFAULTS, ids=lambda section: section.__name__)
def test_an_empty_section_has_these_defaults(section: type[Settings]) -> None:
    made = section.model_validate(MUST.get(section, {}))

    assert {info.alias: getattr(made, name) for name, info in section.model_fields.items()} == DEFAULTS[section]


def test_every_section_is_listed() -> None:
    def below(kind: type[Settings]) -> set[type[Settings]]:
        return {kind}.union(*(below(one) for one in kind.__subclasses__()))

    # The loader derives a model of each section for its valid part. These have no module.
    ours = {
        one
        for one in below(Settings)
        if one.__module__ not in ("config.settings.base", "config.sections") and not one.__name__.endswith("Keys")
    }
    assert ours == set(DEFAULTS)


def test_the_defaults_of_a_model() -> None:
    cluster = ClusterSettings()

    assert (cluster.addon_versions, cluster.spec.existing) == (dict(ADDON_VERSIONS), None)
    assert ModelSettings.model_validate(MUST[ModelSettings]).lora_slots == 0


def test_the_regions_are_those_of_botocore() -> None:
    session = botocore.session.get_session()
    known = [
        region for part in session.get_available_partitions() for region in session.get_available_regions("ec2", part)
    ]

    assert sorted(known) == sorted(REGIONS)
    assert {region: aws_partition(region) for region in REGIONS} == {
        region: session.get_partition_for_region(region) for region in REGIONS
    }
    managed = {
        region for part in session.get_available_partitions() for region in session.get_available_regions("amp", part)
    }
    assert sorted(set(REGIONS) - managed) == sorted(WITHOUT_MANAGED_PROMETHEUS)
