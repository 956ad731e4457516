"""The namespace of each model."""


def model_namespace(model_name: str) -> str:
    """Return the namespace of a model's pods.

    >>> model_namespace("llama-4-scout")
    'vllm-llama-4-scout'
    """
    return f"vllm-{model_name}"
