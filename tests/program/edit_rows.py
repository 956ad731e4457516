"""The rows of docs/how-to/edits.md, the edit of each, and the stack that they edit."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "edits.md").read_text()
ROWS = {row[0]: list(row[1:6]) for row in re.findall(r"^\| (.+?) " + r"\|([^|]*)" * 5 + r"\|.*\|$", PAGE, re.MULTILINE)}
Change = Callable[[dict[str, Any]], None]
PINS = {"vpc-cni": "v1.23.0-eksbuild.1", "coredns": "v1.14.3-eksbuild.3", "kube-proxy": "v1.35.0-eksbuild.1"}
PINS |= {"eks-pod-identity-agent": "v1.4.0-eksbuild.1", "eks-node-monitoring-agent": "v1.7.0-eksbuild.1"}


def of_model(**keys: Any) -> Change:
    return lambda config: config["vllm-eks:models"]["scout"].update(keys)


def of(section: str, **keys: Any) -> Change:
    return lambda config: config.setdefault(f"vllm-eks:{section}", {}).update(keys)


def spread(config: dict[str, Any]) -> None:
    model = config["vllm-eks:models"]["scout"]
    model.update(zones=[model.pop("zone"), "us-west-2b"], replicas=2)


def upgrade(config: dict[str, Any]) -> None:
    # A downgrade, because only two versions are supported, and the inputs change in the same way.
    of("cluster", kubernetesVersion="1.35", addonVersions=PINS, nodeReleaseVersion="1.35.1-20260714")(config)


def reserve(config: dict[str, Any]) -> None:
    of_model(capacityReservationId="cr-0123456789abcdef0")(config)


def home_goes(config: dict[str, Any]) -> None:
    model = config["vllm-eks:models"]["scout"]
    model.update(zone=model.pop("zones")[1], replicas=1)


def replicas_become_zones(config: dict[str, Any]) -> None:
    model = config["vllm-eks:models"]["scout"]
    model.update(zones=[model.pop("zone"), "us-west-2b"])


def another_model(config: dict[str, Any]) -> None:
    models = config["vllm-eks:models"]
    models["qwen3"] = {"model": "Qwen/Qwen3-8B", "instanceType": "g6.12xlarge", "zone": "us-west-2b"}


def rename(config: dict[str, Any]) -> None:
    models = config["vllm-eks:models"]
    models["llama"] = models.pop("scout")


CERTIFICATE = "arn:aws:acm:us-west-2:123456789012:certificate/01234567-89ab-cdef-0123-456789abcdef"
HOSTED_ZONE = "Z0123456789ABC"
DOOR = of("endpoint", scheme="internal", domain="models.example.com", certificateArn=CERTIFICATE)


def named_models(config: dict[str, Any]) -> None:
    DOOR(config)
    of("endpoint", hostedZoneId=HOSTED_ZONE)(config)
    another_model(config)
    of_model(hostname="a.models.example.com")(config)
    config["vllm-eks:models"]["qwen3"]["hostname"] = "b.models.example.com"


def swap_names(config: dict[str, Any]) -> None:
    of_model(hostname="b.models.example.com")(config)
    config["vllm-eks:models"]["qwen3"]["hostname"] = "a.models.example.com"


PODS = "`maxModelLen`, `maxNumSeqs`, `servedNames`, `env`, `extraArgs`, `gpuMemoryUtilization`, `image`"
EDITS: dict[str, Change] = {
    PODS: of_model(maxModelLen=8192),
    "`clientNamespaces`": of_model(clientNamespaces=["team-a"]),
    "`replicas`": of_model(replicas=2),
    "`parked`": of_model(parked=True),
    "`model`": of_model(model="Qwen/Qwen3-235B-A22B", pipelineParallelSize=4),
    "`instanceType`": of_model(instanceType="g6.48xlarge"),
    "`zone`": of_model(zone="us-west-2b"),
    "`zone` to `zones`, the old zone first": spread,
    "`capacityType`": of_model(capacityType="spot"),
    "`capacityReservationId`": reserve,
    "`efa`": of_model(efa=True),
    "`zones: [a, b]` to `zone: b`": home_goes,
    "`zone: a`, `replicas: 2` to `zones: [a, b]`": replicas_become_zones,
    "`images.hook`": of("images", hook="registry.example.com/python:3.12.8"),
    "`systemInstanceType`": of("cluster", systemInstanceType="m7i.xlarge"),
    "`iam.permissionsBoundary`": of("iam", permissionsBoundary="arn:aws:iam::123456789012:policy/boundary"),
    "one more model": another_model,
    "a model's name": rename,
    "`tags`": of("tags", team="serving"),
    "`kubernetesVersion`, with add-ons and image": upgrade,
    "`nodeReleaseVersion`": of("cluster", nodeReleaseVersion="1.36.3-20261101"),
    "`addonVersions`": of("cluster", addonVersions={"coredns": "v1.14.4-eksbuild.1"}),
    "`publicAccessCidrs`, `admins`, `deletionProtection`": of("cluster", publicAccessCidrs=[], deletionProtection=True),
    "`natGateways`": of("network", natGateways="perZone"),
    "one more zone in `network.zones`": of("network", zones=["us-west-2a", "us-west-2b", "us-west-2c"]),
    "the order of `network.zones`": of("network", zones=["us-west-2b", "us-west-2a"]),
    "`cidr`": of("network", cidr="10.1.0.0/16"),
    "`endpoint` added": DOOR,
    "`endpoint.scheme`": of("endpoint", scheme="internetFacing", sourceRanges=["203.0.113.0/24"]),
    "`endpoint.domain`": of("endpoint", domain="llm.example.com"),
    "`hostname`, with `hostedZoneId`": of_model(hostname="c.models.example.com"),
    "`hostname` of two models, swapped": swap_names,
    "`charts`": of("charts", leaderWorkerSet={"version": "0.10.1"}),
    "`observability.prometheus` to `install`": of("observability", prometheus="install"),
    "`observability.logs`": of("observability", logs="cloudWatch"),
    "`apiKey`, `secondApiKey`": lambda config: config.update({"vllm-eks:secondApiKey": "another"}),
    "`clientKeys`, `clients`": lambda config: config.update(
        {"vllm-eks:clientKeys": {"team-a": {"secure": "v1:abc"}}, "vllm-eks:clients": {"team-a": {"models": ["scout"]}}}
    ),
    "`huggingFaceToken`": lambda config: config.update({"vllm-eks:huggingFaceToken": "another"}),
    "`weights.source` to `s3`": of_model(weights={"source": "s3"}, revision="0123456789abcdef0123456789abcdef01234567"),
}


EDITED_FROM: dict[str, Change] = {
    "`endpoint.scheme`": DOOR,
    "`endpoint.domain`": DOOR,
    "`hostname`, with `hostedZoneId`": named_models,
    "`hostname` of two models, swapped": named_models,
    "`zones: [a, b]` to `zone: b`": spread,
    "`zone: a`, `replicas: 2` to `zones: [a, b]`": of_model(replicas=2),
}
"""The stack before the edit, if it is not the default one."""


def stack_file(change: Change | None = None) -> str:
    """Return the text of the stack file that the rows edit, with one edit."""
    config = {
        "aws:region": "us-west-2",
        "vllm-eks:apiKey": "one",
        "vllm-eks:huggingFaceToken": "hf",
        "vllm-eks:network": {"zones": ["us-west-2a", "us-west-2b"]},
        "vllm-eks:cluster": {"publicAccessCidrs": ["203.0.113.0/24"]},
        "vllm-eks:models": {
            "scout": {
                "model": "meta-llama/Llama-4-Scout-17B-16E-Instruct",
                "instanceType": "g5.48xlarge",
                "zone": "us-west-2a",
                "maxModelLen": 16384,
                "maxNumSeqs": 64,
                "limitMmPerPrompt": {"image": 1},
            }
        },
    }
    if change:
        change(config)
    models = config["vllm-eks:models"].values()
    for model in models:
        if "Scout" not in model["model"]:
            model.pop("limitMmPerPrompt", None)
    return yaml.safe_dump({"config": config})
