"""The endpoint of a benchmark, from the LeaderWorkerSet that runs."""

import pytest

from tests.fakes.bench_cluster import FakeCluster, group
from tests.support.chart_rendering import Rendered, model_values, render_text, tool
from vllm_eks.bench.target import TokenizerSource, read_target, target_of
from vllm_eks.errors import WrongQuestion


def test_the_endpoint_is_what_runs() -> None:
    target = read_target(FakeCluster(group(ready=2, replicas=3)), "scout")

    assert (target.name, target.namespace, target.port, target.ready_replicas) == ("scout", "vllm-scout", 8000, 2)
    assert target.image == "registry.example/vllm:1"
    assert target.service_url == "http://scout-api.vllm-scout.svc:8000"
    assert (target.api_key_secret, target.hugging_face_secret) == ("scout-api-key-1f2e3d", None)
    assert target.tokenizer == TokenizerSource(place="Qwen/Qwen3-8B", revision="abc123")
    assert (target.instance_type, target.zones) == ("g6e.xlarge", ("us-west-2a",))
    assert target.sizes == {
        "--tensor-parallel-size": 1,
        "--pipeline-parallel-size": 1,
        "--max-model-len": 8192,
    }


@pytest.mark.skipif(tool("helm") is None, reason="helm is neither on PATH nor in $KUBE_LAB/bin")
def test_the_chart_renders_what_is_read() -> None:
    secrets = {"apiKey": "api-key-1", "huggingFaceToken": "hub-token-1"}
    rendered = Rendered(render_text(model_values(tensor=8, pipeline=2, port=9000, secrets=secrets)))
    (deployed,) = [one for one in rendered.objects if one["kind"] == "LeaderWorkerSet"]
    target = target_of({**deployed, "status": {"readyReplicas": 1}}, "scout", "vllm-scout")

    assert (target.api_key_secret, target.hugging_face_secret, target.port) == ("api-key-1", "hub-token-1", 9000)
    assert target.tokenizer == TokenizerSource(place="org/model")
    assert (target.instance_type, target.zones) == ("g5.48xlarge", ("us-west-2a",))
    assert target.sizes == {"--tensor-parallel-size": 8, "--pipeline-parallel-size": 2}
    (service,) = [one for one in rendered.objects if one["kind"] == "Service"]
    assert target.service_url == f"http://{service['metadata']['name']}.vllm-scout.svc:9000"


def test_a_bucket_is_read_without_a_revision_and_with_the_variables_of_a_download() -> None:
    args = ["s3://bucket/qwen", "--served-model-name", "scout", "--load-format", "runai_streamer"]
    env = [
        {"name": "AWS_REGION", "value": "eu-west-1"},
        {"name": "HF_ENDPOINT", "value": "https://mirror.example"},
        {"name": "HF_TOKEN_PATH", "value": "/secrets/hugging-face/token"},
        {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "VLLM_USE_RUST_BENCH", "value": "1"},
    ]
    target = target_of(group(args=args, env=env), "scout", "vllm-scout")

    assert target.tokenizer == TokenizerSource(place="s3://bucket/qwen")
    assert target.tokenizer.is_in_s3
    assert target.download_variables == {"AWS_REGION": "eu-west-1", "HF_ENDPOINT": "https://mirror.example"}


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        (["--tokenizer", "org/words"], TokenizerSource(place="org/words")),
        (
            ["--tokenizer=org/words", "--tokenizer-revision", "v2"],
            TokenizerSource(place="org/words", revision="v2"),
        ),
        (
            ["--trust-remote-code", "--tokenizer-mode", "mistral"],
            TokenizerSource(
                place="org/model", revision="c0ffee", flags=("--tokenizer-mode", "mistral", "--trust-remote-code")
            ),
        ),
    ],
)
def test_the_client_uses_the_tokenizer_of_the_server(more: list[str], wanted: TokenizerSource) -> None:
    args = ["org/model", "--served-model-name", "scout", "--revision", "c0ffee", *more]
    assert target_of(group(args=args), "scout", "vllm-scout").tokenizer == wanted


@pytest.mark.parametrize(
    ("deployed", "said"),
    [
        (
            FakeCluster(),
            "there is no model scout in vllm-scout: check that --kubeconfig is the stack's cluster, and run pulumi up",
        ),
        (
            FakeCluster(group(replicas=0, ready=0)),
            "scout is parked (0 replicas): start it with pulumi up before you measure it",
        ),
        (FakeCluster(group(ready=0)), "no replica of scout is ready: find out why with vllm-eks doctor"),
    ],
    ids=["not deployed", "parked", "not ready"],
)
def test_an_endpoint_that_does_not_serve_is_a_wrong_question(deployed: FakeCluster, said: str) -> None:
    with pytest.raises(WrongQuestion) as caught:
        read_target(deployed, "scout")
    assert str(caught.value) == said
