"""Outputs that show how to call a model, as commands and programs to copy."""

import json
from collections.abc import Sequence

import pulumi

from components.serving.namespaces import model_service


def access_outputs(
    name: str,
    *,
    namespace: str,
    port: int,
    api_key_secret: pulumi.Output[str],
    further_names: Sequence[str] = (),
    url: str | None = None,
) -> dict[str, pulumi.Output[str]]:
    """Return the endpoint, and how to call it from a shell with kubectl, by output name.

    The snippets request a completion, which every model supports. A chat needs a model with a chat template.
    `further_names` are the other names that clients may send instead of `name`. `url` is the model's address at the
    load balancer. Without one, the endpoint is inside the cluster and the snippets use a port-forward.
    """
    service = model_service(name)
    base = url or f"http://localhost:{port}"
    inside = f"http://{service}.{namespace}.svc.cluster.local:{port}"
    forward = f"kubectl --namespace {namespace} port-forward service/{service} {port}:{port}"
    read_key = pulumi.Output.concat(
        f"kubectl --namespace {namespace} get secret ",
        api_key_secret,
        " --output go-template='{{.data.apiKey | base64decode}}'",
    )
    body = json.dumps({"model": name, "prompt": "The capital of France is", "max_tokens": 16})
    curl = pulumi.Output.concat(
        f"curl --silent --show-error {base}/v1/completions",
        ' --header "Authorization: Bearer $(',
        read_key,
        f")\" --header 'Content-Type: application/json' --data '{body}'",
    )
    python = pulumi.Output.concat(
        "import subprocess\nfrom openai import OpenAI\n\n",
        'key = subprocess.check_output("""',
        read_key,
        '""", shell=True, text=True)\n',
        f'client = OpenAI(base_url="{base}/v1", api_key=key)\n',
        f'answer = client.completions.create(model="{name}", prompt="The capital of France is", max_tokens=16)\n',
        "print(answer.choices[0].text)\n",
    )
    return {
        "endpoint": pulumi.Output.from_input(f"{url or inside}/v1"),
        "portForward": pulumi.Output.from_input(forward),
        "readApiKey": read_key,
        "curl": curl,
        "python": python,
    } | ({"servedNames": pulumi.Output.from_input(", ".join([name, *further_names]))} if further_names else {})
