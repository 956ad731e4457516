"""What each output of a stack means, for `docs/reference/outputs.md`. Tests hold the names against what is exported."""

from collections.abc import Mapping

STACK_OUTPUTS: Mapping[str, str] = {
    "models": "The served models, by name: sizes, price, and how to call each.",
    "usdPerHour": (
        "The on-demand price of all GPU nodes that run, in US dollars per hour; null where the price of one is "
        "unknown. Control plane, system nodes, NAT and storage are not in it: `vllm-eks preview` shows them."
    ),
    "kubeconfig": (
        "A kubeconfig for the cluster, a secret: `pulumi stack output kubeconfig --show-secrets > kubeconfig`. It asks "
        "`aws` for tokens, with the stack's profile and role."
    ),
}

MODEL_OUTPUTS: Mapping[str, str] = {
    "model": "The Hugging Face id.",
    "instanceType": "The EC2 type of the model's GPU nodes.",
    "nodes": "The number of GPU nodes that run; 0 while the model is parked.",
    "replicas": "The number of replicas that run; 0 while the model is parked.",
    "parked": "Whether the model is parked.",
    "tensorParallelSize": "The number of GPUs that share each layer.",
    "pipelineParallelSize": "The number of pipeline stages of a replica.",
    "maxModelLen": "The longest context of one request, in tokens.",
    "kvCacheTokens": "The number of tokens that a replica's KV cache holds, as planned.",
    "usdPerHour": "The on-demand price of the model's GPU nodes that run, in US dollars per hour; null where unknown.",
    "endpoint": "The base URL of the OpenAI-compatible API, inside the cluster.",
    "portForward": "A command that makes the API reachable at localhost.",
    "readApiKey": "A command that prints the API key.",
    "curl": "A command that asks the model for a completion, through the port-forward.",
    "python": "The same as a Python program with the `openai` package.",
    "servedNames": "Every name that clients may send as `model`, separated by commas; only where `servedNames` is set.",
}
