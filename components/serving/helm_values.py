"""The values of charts/vllm from a plan and plain strings, as a dict that tests can compare."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import Any

import pulumi

from components.nodes.user_data import NODE_WEIGHTS_FOLDER
from components.weights.model_weights import ModelWeights
from vllm_eks.planner.engine.serving_flags import serving_flags
from vllm_eks.planner.engine.startup import HUGGING_FACE, S3
from vllm_eks.planner.memory.stages import Layout
from vllm_eks.planner.search.fit import DOWNLOAD_FACTOR, POD_SHARE
from vllm_eks.planner.search.gpu_nodes import GpuNodes
from vllm_eks.planner.search.plan import Plan
from vllm_eks.planner.search.serving import ServingSpec
from vllm_eks.planner.search.vllm_args import vllm_args
from vllm_eks.planner.units import BYTES_PER_GIB

SHARED_MEMORY_GIB_PER_GPU = 2
"""For NCCL and vLLM's message queues. Public charts use 10 to 20 GiB for 8 GPUs."""
CACHE_GIB = 20
"""For compile caches, logs and /tmp, besides the weights."""
DOWNLOAD_SLACK_GIB = 4
"""For partial downloads and the Hub client's own caches."""
MAX_COPIES = 2
"""Some repositories have the weights twice, and vLLM downloads both. This is only a limit, so it may be generous."""
JOB_SLACK_SECONDS = 300
"""For image pull and scheduling of the hook Job, and its last requests."""
PORT = 8000


@dataclass(frozen=True, kw_only=True)
class ModelRelease:
    """The input of one model's Helm release."""

    values: Mapping[str, Any]
    """The chart's values, without the names of Secrets and of cloud resources."""
    port: int
    """The port of the model's Service."""
    further_names: Sequence[str]
    """Other names that clients may send instead of the model's name."""
    timeout_seconds: int
    """How long Helm waits for the model to answer."""


@dataclass(frozen=True, kw_only=True)
class SecretNames:
    """The names of one model's Secrets."""

    api_key: pulumi.Input[str]
    hugging_face_token: pulumi.Input[str] | None


def model_release(nodes: GpuNodes, serving: ServingSpec) -> ModelRelease:
    """Return the input of one model's Helm release.

    Raises:
        ValueError: The plan does not fit.
    """
    return ModelRelease(
        values=release_values(nodes, serving),
        port=PORT,
        further_names=serving.further_names,
        timeout_seconds=rollout_seconds(nodes.plan),
    )


def complete_values(
    planned: Mapping[str, Any],
    *,
    secrets: SecretNames,
    weights: ModelWeights | None,
    chart_digest: str,
    nodes: Sequence[pulumi.Input[str]],
) -> dict[str, Any]:
    """Return the chart's complete values, with those that only the cluster and the cloud know.

    Args:
        planned: The values from the plan.
        secrets: The names of the model's Secrets.
        weights: Weights that vLLM streams from S3, or None to download them from the Hub.
        chart_digest: The digest of the chart's files.
        nodes: A text per node group that changes whenever its nodes change.
    """
    s3 = {"s3Uri": weights.uri, "region": weights.region} if weights else {}
    return {
        **planned,
        "weights": {**planned["weights"], **s3},
        "secrets": {"apiKey": secrets.api_key, "huggingFaceToken": secrets.hugging_face_token},
        # A change of any of these makes the hook Job test the model again, without a restart.
        "recheck": {"chartDigest": chart_digest, "nodes": pulumi.Output.all(*nodes).apply(",".join)},
    }


def rollout_seconds(plan: Plan) -> int:
    """Return how long a whole rollout may take: groups are replaced one by one, each within the start budget."""
    return plan.startup.budget_seconds * max(1, plan.replicas) + JOB_SLACK_SECONDS


def release_values(nodes: GpuNodes, serving: ServingSpec) -> dict[str, Any]:
    """Return the Helm values of one model, without the names of Secrets and of cloud resources.

    Raises:
        ValueError: The plan does not fit.
    """
    plan = nodes.plan
    if plan.sizes is None or not plan.fits:
        raise ValueError(f"{serving.name}: a plan that does not fit has no release")
    budget_seconds = plan.startup.budget_seconds
    return {
        "image": serving.image,
        "vllmVersion": ".".join(map(str, plan.options.version)),
        "model": {
            "id": plan.model.id,
            "revision": serving.revision or plan.model.revision,
            "servedName": serving.name,
            "furtherNames": list(serving.further_names),
        },
        "replicas": nodes.running_replicas,
        # For the chart these are the GPUs per pod and the pods per group, because stages on one node share a pod.
        # vLLM's own sizes are in vllmArgs.
        "tensorParallelSize": plan.gpus_per_pod,
        "pipelineParallelSize": plan.nodes_per_replica,
        "vllmArgs": [
            *vllm_args(plan),
            *serving_flags(serving.flags, plan.model.architecture.name),
            *serving.extra_args,
        ],
        "env": dict(serving.env),
        "port": PORT,
        "placement": {"zones": list(nodes.zones), "instanceType": plan.instance.type},
        "clientNamespaces": list(serving.client_namespaces),
        "resources": _resources(plan, efa=nodes.efa),
        "sharedMemory": f"{_shared_memory_gib(plan)}Gi",
        "weightsStorage": f"{_download_gib(plan, MAX_COPIES)}Gi",
        "weights": _weights(plan),
        "startup": {"budgetSeconds": budget_seconds},
        "readiness": {"image": serving.hook_image, "timeoutSeconds": rollout_seconds(plan)},
        "planned": _planned(plan, plan.layout) if plan.layout else {},
    }


def _planned(plan: Plan, layout: Layout) -> dict[str, Any]:
    """Return what the hook Job compares with vLLM's memory: the loaded model of the largest rank, and the tokens."""
    fewest, most = plan.kv_cache_tokens_range
    weights = max(stage.weights.bytes.high + stage.tables.bytes.high for stage in layout.stages)
    return {
        "weightsGibHigh": round(weights / BYTES_PER_GIB, 3),
        "kvCacheTokensLow": fewest,
        "kvCacheTokensHigh": most,
    }


def _weights(plan: Plan) -> dict[str, Any]:
    """Return where downloaded weights are stored. Weights from S3 never touch a disk."""
    kept = plan.options.weights_source == HUGGING_FACE and plan.instance.nvme_gb > 0
    return {"nodePath": NODE_WEIGHTS_FOLDER if kept else None}


def _resources(plan: Plan, *, efa: bool) -> dict[str, Any]:
    """Return the requests of one pod: its GPUs' share of the node."""
    instance = plan.instance
    # A pod of a replica with several nodes has its node alone, whatever its share of the GPUs.
    share = POD_SHARE if plan.nodes_per_replica > 1 else POD_SHARE * plan.gpus_per_pod / instance.gpus
    return {
        "cpu": f"{floor((instance.vcpus or 4) * share * 1000)}m",
        "memory": f"{floor((instance.memory_gib or 16) * share * 1024)}Mi",
        "ephemeralStorage": f"{_download_gib(plan) + CACHE_GIB}Gi",
        "efa": instance.efa_interfaces if efa else 0,
    }


def _shared_memory_gib(plan: Plan) -> int:
    """Return the size of /dev/shm of a pod, which also holds an offloaded KV cache (kv_offload/cpu, since 0.21)."""
    offloaded = plan.options.flags.kv_offloading_bytes / max(1, plan.nodes_per_replica)
    return SHARED_MEMORY_GIB_PER_GPU * plan.gpus_per_pod + ceil(offloaded / BYTES_PER_GIB)


def _download_gib(plan: Plan, copies: int = 1) -> int:
    if plan.options.weights_source == S3:
        return DOWNLOAD_SLACK_GIB  # the configuration and the tokenizer
    return ceil(copies * plan.model.weights_bytes * DOWNLOAD_FACTOR / BYTES_PER_GIB) + DOWNLOAD_SLACK_GIB
