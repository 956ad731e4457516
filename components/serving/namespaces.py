"""The namespace of each model, and the objects of its chart that others refer to."""

from collections.abc import Iterable


def model_namespace(model_name: str) -> str:
    """Return the namespace of a model's pods.

    >>> model_namespace("llama-4-scout")
    'vllm-llama-4-scout'
    """
    return f"vllm-{model_name}"


def model_service(model_name: str) -> str:
    """Return the name of the Service of a model's leaders (the chart's `vllm.serviceName`)."""
    return f"{model_name}-api"


def leader_labels(model_name: str) -> dict[str, str]:
    """Return the labels of a model's leaders, which LeaderWorkerSet sets."""
    return {"leaderworkerset.sigs.k8s.io/name": model_name, "leaderworkerset.sigs.k8s.io/worker-index": "0"}


def namespaces(models: Iterable[str]) -> dict[str, str]:
    """Return the namespace of each model, by its name."""
    return {name: model_namespace(name) for name in models}
