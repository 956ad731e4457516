"""The description of each stack output, for `docs/reference/outputs.md`. Tests compare the names with the exports."""

from collections.abc import Mapping

STACK_OUTPUTS: Mapping[str, str] = {
    "models": "The served models by name: their sizes and price, and how to call them.",
    "usdPerHour": (
        "The on-demand price of all running GPU nodes, in US dollars per hour, or null if a price is unknown. It does "
        "not include the control plane, system nodes, NAT and storage, which `vllm-eks preview` shows."
    ),
    "kubeconfig": (
        "A kubeconfig for the cluster, which is a secret: `pulumi stack output kubeconfig --show-secrets > "
        "kubeconfig`. It gets tokens from `aws` with the stack's profile and role."
    ),
    "monitoring": (
        "With `observability.prometheus`: commands that open Grafana, Prometheus and Alertmanager and that print "
        "Grafana's password, or the workspace of Amazon Managed Service for Prometheus."
    ),
    "loadBalancer": (
        "With `endpoint`: the DNS name of the load balancer (`dnsName`), and its hosted zone for alias records "
        "(`zoneId`). Without `endpoint.hostedZoneId` also `dnsRecords`: the record that you create for each hostname."
    ),
}

MODEL_OUTPUTS: Mapping[str, str] = {
    "model": "The Hugging Face ID.",
    "instanceType": "The EC2 type of the model's GPU nodes.",
    "nodes": "The number of running GPU nodes, or 0 while the model is parked.",
    "replicas": "The number of running replicas, or 0 while the model is parked.",
    "parked": "Whether the model is parked.",
    "tensorParallelSize": "The number of GPUs that share each layer.",
    "pipelineParallelSize": "The number of pipeline stages of a replica.",
    "maxModelLen": "The maximum context of one request, in tokens.",
    "kvCacheTokens": "The planned size of a replica's KV cache, in tokens.",
    "usdPerHour": "The on-demand price of the model's running GPU nodes, in US dollars per hour, or null if unknown.",
    "endpoint": (
        "The base URL of the OpenAI-compatible API: inside the cluster, or at the load balancer if `endpoint` is set."
    ),
    "portForward": "A command that forwards the API to localhost.",
    "readApiKey": "A command that prints the API key.",
    "curl": "A command that requests a completion through the load balancer or, without one, the port-forward.",
    "python": "The same request as a Python program with the `openai` package.",
    "servedNames": "All names that clients may send as `model`, separated by commas. Only if `servedNames` is set.",
    "frontDoor": (
        "The result of a request through the load balancer at the end of `pulumi up`, with what to do if there was no "
        "answer. Only if `endpoint` is set."
    ),
}
