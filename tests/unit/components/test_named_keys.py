"""The Secret of a model with named clients."""

import pulumi

from tests.unit.components.test_model_server import SECRET, build
from vllm_eks.pods.client_keys import stored_digest
from vllm_eks.specs.secrets import NamedKey


def test_named_clients_have_digests_alone(engine) -> None:
    def key(client: str, *models: str) -> NamedKey:
        secret = pulumi.Output.secret(f"the-key-of-{client}")
        return NamedKey(client=client, key=secret, models=models or None)

    named = (key("team-a"), key("team-b", "qwen3"), key("team-c", "qwen3", "llama-4-scout"))
    engine.run(lambda: build(api_key=pulumi.Output.secret("sk"), named_keys=named))

    secret = engine.only(SECRET)
    assert secret.inputs["stringData"] == {
        "apiKey": "sk",
        "client.team-a": stored_digest("vllm-llama-4-scout", "the-key-of-team-a"),
        "denied.team-b": stored_digest("vllm-llama-4-scout", "the-key-of-team-b"),
        "client.team-c": stored_digest("vllm-llama-4-scout", "the-key-of-team-c"),
    }
    assert secret.secret_paths == {"stringData"}
    # The Secret keeps its name, so a key is added and revoked without a restart.
    assert secret.inputs["metadata"] == {"namespace": "vllm-llama-4-scout"}
