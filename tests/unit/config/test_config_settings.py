"""The program's inputs from valid settings."""

from pathlib import Path

import pytest

from config.settings.charts import ChartOverride
from config.settings.cluster import ClusterSettings
from config.settings.images import ImagesSettings
from config.settings.model import ModelSettings
from tests.support.stack_config import load_stack, model, report_of, write_stack
from vllm_eks.pins.charts import ChartSource
from vllm_eks.pins.eks import ADDON_VERSIONS, DEFAULT_KUBERNETES_VERSION, NODE_RELEASE_VERSION
from vllm_eks.planner.engine.options import ServingOptions
from vllm_eks.specs.access import Deployer

ROOT = Path(__file__).parents[3]
SCOUT = "meta-llama/Llama-4-Scout-17B-16E-Instruct"


# The program's inputs from the settings


def test_a_model_passes_every_option_to_the_planner(folder: Path) -> None:
    wishes = {
        "replicas": 2,
        "tensorParallelSize": 4,
        "pipelineParallelSize": 2,
        "maxModelLen": 4096,
        "gpuMemoryUtilization": 0.85,
        "maxNumSeqs": 32,
        "maxNumBatchedTokens": 4096,
        "kvCacheDtype": "fp8",
        "enforceEager": True,
        "enableExpertParallel": True,
        "limitMmPerPrompt": {"image": 2},
        "measuredStepFactor": 1.25,
        "image": "docker.io/vllm/vllm-openai:v0.20.2",
        "vllmVersion": "0.20.2",
    }
    write_stack(folder, {"scout": model(model=SCOUT, **wishes)}, huggingFaceToken="x")

    scout = load_stack(folder, "test").settings.models["scout"]

    assert scout.serving_spec("scout", ImagesSettings()).image == "docker.io/vllm/vllm-openai:v0.20.2"
    assert scout.serving_options() == ServingOptions(
        replicas=2,
        tensor_parallel_size=4,
        pipeline_parallel_size=2,
        max_model_len=4096,
        gpu_memory_utilization=0.85,
        max_num_seqs=32,
        max_num_batched_tokens=4096,
        kv_cache_dtype="fp8",
        enforce_eager=True,
        enable_expert_parallel=True,
        limit_mm_per_prompt={"image": 2},
        measured_step_factor=1.25,
        vllm_version="0.20.2",
    )


def test_a_model_without_options_uses_the_planners_defaults() -> None:
    assert ModelSettings.model_validate(model()).serving_options() == ServingOptions()


def test_a_utilization_in_text_is_a_number() -> None:
    assert ModelSettings.model_validate(model(gpuMemoryUtilization="0.9")).gpu_memory_utilization == 0.9


def test_the_cluster_uses_the_pins_unless_the_stack_overrides_them() -> None:
    cidrs = {"publicAccessCidrs": []}
    pinned = ClusterSettings.model_validate(cidrs)
    own = ClusterSettings.model_validate(
        {**cidrs, "addonVersions": {"coredns": "v1.14.4-eksbuild.1"}, "nodeReleaseVersion": "1.36.3-20261001"}
    )

    assert (pinned.kubernetes_version, pinned.node_release_version) == ("1.36", NODE_RELEASE_VERSION)
    assert pinned.addon_versions == ADDON_VERSIONS
    assert own.addon_versions == {**ADDON_VERSIONS, "coredns": "v1.14.4-eksbuild.1"}
    assert own.node_release_version == "1.36.3-20261001"


def test_the_pins_match_the_default_kubernetes_version() -> None:
    assert ADDON_VERSIONS["kube-proxy"].startswith(f"v{DEFAULT_KUBERNETES_VERSION}.")
    assert NODE_RELEASE_VERSION.startswith(f"{DEFAULT_KUBERNETES_VERSION}.")


def test_another_kubernetes_version_is_accepted_with_all_its_versions(folder: Path) -> None:
    addons = {**ADDON_VERSIONS, "kube-proxy": "v1.35.3-eksbuild.2"}
    cluster = {
        "publicAccessCidrs": [],
        "kubernetesVersion": "1.35",
        "addonVersions": addons,
        "nodeReleaseVersion": "1.35.1-20260714",
    }
    write_stack(folder, cluster=cluster)

    loaded = load_stack(folder, "test").settings.cluster

    assert (loaded.kubernetes_version, loaded.addon_versions) == ("1.35", addons)


KUBECONFIG = """\
current-context: tunnel
contexts: [{name: tunnel, context: {cluster: eks, user: me}}]
clusters: [{name: eks, cluster: {server: "https://localhost:8443"}}]
users: [{name: me, user: {}}]
"""


def test_the_kubeconfig_path_is_expanded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))
    (folder / "kubeconfig").write_text(KUBECONFIG)
    write_stack(folder, cluster={"publicAccessCidrs": [], "kubeconfigPath": "~/kubeconfig"})

    assert load_stack(folder, "test").settings.cluster.kubeconfig_path == str(folder / "kubeconfig")


@pytest.mark.parametrize(
    ("override", "source"),
    [
        ({}, ("oci://registry.k8s.io/lws/charts/lws", None, "0.10.0")),
        ({"version": "0.10.1"}, ("oci://registry.k8s.io/lws/charts/lws", None, "0.10.1")),
        ({"repository": "oci://mirror.example/charts/"}, ("oci://mirror.example/charts/lws", None, "0.10.0")),
        ({"repository": "https://mirror.example"}, ("lws", "https://mirror.example", "0.10.0")),
    ],
)
def test_a_mirrored_chart_keeps_its_name_and_version(override: dict[str, str], source: tuple[str | None, ...]) -> None:
    published = ChartSource(chart="oci://registry.k8s.io/lws/charts/lws", version="0.10.0")
    found = ChartOverride.model_validate(override).over(published)

    assert found is not None
    assert (found.chart, found.repository, found.version) == source


def test_a_local_chart_has_neither_repository_nor_version(folder: Path) -> None:
    (folder / "lws").mkdir()
    (folder / "lws" / "Chart.yaml").touch()
    local = ChartOverride.model_validate({"path": "./lws"})

    published = ChartSource(chart="nvidia-device-plugin", repository="https://nvidia.example", version="0.20.0")

    assert local.over(published) == ChartSource(chart="./lws")


def test_a_local_chart_next_to_a_repository_is_refused(folder: Path) -> None:
    (folder / "lws").mkdir()
    (folder / "lws" / "Chart.yaml").touch()
    write_stack(folder, charts={"leaderWorkerSet": {"path": "./lws", "version": "0.10.0"}})

    assert report_of(folder, "test") == (
        "Pulumi.test.yaml has 1 error:\n  vllm-eks:charts.leaderWorkerSet.path: conflicts with repository or version, "
        "which a local folder does not use: remove one"
    )


def test_the_role_and_profile_of_the_aws_provider_are_passed_on(folder: Path) -> None:
    roles = [{"roleArn": "arn:aws:iam::123456789012:role/deploy"}]
    write_stack(folder, **{"aws:profile": "work", "aws:assumeRoles": roles})

    stack = load_stack(folder, "test")

    assert stack.deployer == Deployer(
        region="us-west-2", profile="work", role_arn="arn:aws:iam::123456789012:role/deploy"
    )


def test_a_stack_name_that_is_invalid_for_a_cluster_is_refused(folder: Path) -> None:
    write_stack(folder)
    (folder / "Pulumi.test.yaml").rename(folder / "Pulumi.a.b.yaml")

    assert "EKS does not accept the cluster name 'vllm-eks-a.b'" in report_of(folder, "a.b")
