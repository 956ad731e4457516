import pulumi

from components.serving.chart_folder import LocalChart
from components.serving.helm_values import ModelRelease
from components.serving.model_server import ModelServer, ModelServerArgs
from components.weights.model_weights import ModelWeights
from tests.support.nested import replaced
from tests.unit.components.test_model_weights import ARGS as WEIGHTS
from vllm_eks.specs.secrets import Secrets

VALUES = {
    "port": 8000,
    "replicas": 1,
    "tensorParallelSize": 8,
    "weights": {"nodePath": "/mnt/weights"},
    "secrets": {"apiKey": "another-team-s", "huggingFaceToken": None},
}
ARGS = ModelServerArgs(
    release=ModelRelease(values=VALUES, port=8000, further_names=(), timeout_seconds=3000),
    chart=LocalChart(path="./charts/vllm", digest="abc123"),
    nodes=["made-from-1"],
    secrets=Secrets(),
)
RELEASE = "kubernetes:helm.sh/v3:Release"
SECRET = "kubernetes:core/v1:Secret"
STASH = "pulumi:index:Stash"


def build(**changes: object) -> ModelServer:
    return ModelServer("llama-4-scout", replaced(ARGS, **changes))


def with_both_secrets() -> ModelServer:
    return build(hugging_face_token=pulumi.Output.from_input("hf_abc"), api_key=pulumi.Output.from_input("sk-given"))


def test_the_server_has_exactly_these_children(engine) -> None:
    engine.run(with_both_secrets)

    assert engine.children() == {
        "vllm-eks-test": {"ModelServer llama-4-scout"},
        "llama-4-scout": {
            "Namespace llama-4-scout-namespace",
            "Secret llama-4-scout-api-key",
            "Secret llama-4-scout-hugging-face-token",
            "Release llama-4-scout-release",
        },
    }


def test_children_stay_inside_when_the_server_is_nested(engine) -> None:
    class Outer(pulumi.ComponentResource):
        def __init__(self) -> None:
            super().__init__("test:index:Outer", "outer")
            ModelServer("llama-4-scout", ARGS, opts=pulumi.ResourceOptions(parent=self))

    engine.run(Outer)

    assert set(engine.children()) == {"vllm-eks-test", "outer", "llama-4-scout"}


def test_the_release_has_exactly_these_inputs(engine) -> None:
    engine.run(with_both_secrets)

    inputs = {key: value for key, value in engine.only(RELEASE).inputs.items() if key != "compat"}
    assert inputs == {
        "name": "llama-4-scout",
        "namespace": "vllm-llama-4-scout",
        "chart": "./charts/vllm",
        "timeout": 3000,
        "maxHistory": 5,
        "values": {
            "port": 8000,
            "replicas": 1,
            "tensorParallelSize": 8,
            "weights": {"nodePath": "/mnt/weights"},
            "secrets": {
                "apiKey": "llama-4-scout-api-key",
                "huggingFaceToken": "llama-4-scout-hugging-face-token",
            },
            "recheck": {
                "chartDigest": "abc123",
                "nodes": "made-from-1",
            },
        },
    }


def test_the_release_is_deleted_before_its_secrets_and_its_namespace(engine) -> None:
    engine.run(with_both_secrets)

    assert engine.only(RELEASE).depends_on == {
        "llama-4-scout-namespace",
        "llama-4-scout-api-key",
        "llama-4-scout-hugging-face-token",
    }
    assert all("llama-4-scout-namespace" in one.depends_on for one in engine.of_type(SECRET))


def test_pulumi_waits_a_little_longer_than_helm_at_first_and_at_every_update(engine) -> None:
    engine.run(build)

    request = engine.only(RELEASE).request
    assert (request.customTimeouts.create, request.customTimeouts.update) == ("3120s", "3120s")
    assert request.deleteBeforeReplace


def test_the_namespace_refuses_privileged_pods_and_warns_of_the_rest(engine) -> None:
    engine.run(build)

    assert engine.only("kubernetes:core/v1:Namespace").inputs["metadata"] == {
        "name": "vllm-llama-4-scout",
        "labels": {
            "pod-security.kubernetes.io/enforce": "restricted",
            "pod-security.kubernetes.io/warn": "restricted",
            "pod-security.kubernetes.io/audit": "restricted",
        },
    }


def test_given_secrets_are_kept_secret_and_follow_the_stack(engine) -> None:
    engine.run(with_both_secrets)

    api_key = engine.named("llama-4-scout-api-key", SECRET)
    token = engine.named("llama-4-scout-hugging-face-token", SECRET)
    assert api_key.inputs["stringData"] == {"apiKey": "sk-given"}
    assert [one.inputs["immutable"] for one in (api_key, token)] == [False, True], "keys change while the model runs"
    assert api_key.inputs["metadata"] == {"namespace": "vllm-llama-4-scout"}
    assert token.inputs["stringData"] == {"token": "hf_abc"}
    assert token.inputs["metadata"] == {"namespace": "vllm-llama-4-scout"}
    assert [one.secret_paths for one in (api_key, token)] == [{"stringData"}, {"stringData"}]
    assert [list(one.request.ignoreChanges) for one in (api_key, token)] == [[], []]


def test_no_secret_reaches_the_values(engine) -> None:
    engine.run(with_both_secrets)

    release = engine.only(RELEASE)
    assert release.secret_paths == frozenset()
    assert "hf_abc" not in str(release.inputs)
    assert "sk-given" not in str(release.inputs)


def test_without_an_api_key_one_is_generated_once(start_engine) -> None:
    keys = []
    for _ in range(2):
        engine = start_engine()
        engine.run(build)
        api_key, stash = engine.only(SECRET), engine.only(STASH)
        keys.append(api_key.inputs["stringData"]["apiKey"])
        assert keys[-1] == stash.inputs["input"]
        assert (api_key.secret_paths, stash.secret_paths) == ({"stringData"}, {"input"})
        # The provider moves stringData into data, so ignoring a part of the Secret has no effect.
        assert list(api_key.request.ignoreChanges) == []
        assert list(stash.request.ignoreChanges) == ["input"]

    assert keys[0] != keys[1]
    assert min(len(key) for key in keys) >= 43


def test_without_a_hugging_face_token_the_chart_gets_none(engine) -> None:
    engine.run(build)

    assert [one.name for one in engine.of_type(SECRET)] == ["llama-4-scout-api-key"]
    # The engine drops null values, and the chart's default is null.
    assert engine.only(RELEASE).inputs["values"]["secrets"] == {"apiKey": "llama-4-scout-api-key"}


def test_a_change_of_the_nodes_reaches_the_release(engine) -> None:
    def program() -> None:
        nodes = pulumi.CustomResource("test:index:Nodes", "nodes", {})
        build(nodes=[nodes.id, "nodes-2"])

    engine.run(program)

    assert "nodes" in engine.only(RELEASE).depends_on
    assert engine.only(RELEASE).inputs["values"]["recheck"] == {
        "chartDigest": "abc123",
        "nodes": "nodes-id,nodes-2",
    }


def test_it_outputs_the_endpoint_and_how_to_call_it(engine) -> None:
    def program() -> pulumi.Output:
        return pulumi.Output.all(**build().outputs)

    outputs = engine.value(program)
    assert isinstance(outputs, dict)
    assert outputs.pop("curl").startswith("curl ")
    assert outputs.pop("python").startswith("import ")
    assert outputs == {
        "endpoint": "http://llama-4-scout-api.vllm-llama-4-scout.svc.cluster.local:8000/v1",
        "portForward": "kubectl --namespace vllm-llama-4-scout port-forward service/llama-4-scout-api 8000:8000",
        "readApiKey": "kubectl --namespace vllm-llama-4-scout get secret llama-4-scout-api-key "
        "--output go-template='{{.data.apiKey | base64decode}}'",
    }


def test_two_keys_are_valid_during_rotation(engine) -> None:
    keys = {"api_key": pulumi.Output.from_input("sk-old"), "second_api_key": pulumi.Output.from_input("sk-new")}
    engine.run(lambda: build(**keys))

    assert engine.only(SECRET).inputs["stringData"] == {"apiKey": "sk-old", "secondApiKey": "sk-new"}
    # The Secret keeps its name, so its pods read it without a restart.
    assert engine.only(SECRET).inputs["metadata"] == {"namespace": "vllm-llama-4-scout"}


def test_a_second_key_does_not_change_a_generated_key(engine) -> None:
    engine.run(lambda: build(second_api_key=pulumi.Output.from_input("sk-new")))

    assert set(engine.only(SECRET).inputs["stringData"]) == {"apiKey", "secondApiKey"}
    assert engine.only(SECRET).inputs["stringData"]["apiKey"] == engine.only(STASH).inputs["input"]


def test_pods_that_stream_from_s3_get_the_uri_and_no_token(engine) -> None:
    weights = replaced(WEIGHTS, s3_uri="s3://bucket/model")
    token = pulumi.Output.from_input("hf_abc")
    engine.run(lambda: build(weights=ModelWeights("scout-weights", weights), hugging_face_token=token))

    where = {"s3Uri": "s3://bucket/model", "region": "us-west-2"}
    assert engine.only(RELEASE).inputs["values"]["weights"] == {"nodePath": "/mnt/weights", **where}
    assert [one.name for one in engine.of_type(SECRET)] == ["llama-4-scout-api-key"]


def test_a_protected_release_prevents_destroying_the_stack(start_engine) -> None:
    protected = []
    for protect in (False, True):
        engine = start_engine()
        engine.run(lambda protect=protect: build(protect=protect))
        protected.append({one.type for one in engine.registrations if one.request.protect})

    assert protected == [set(), {RELEASE}]
