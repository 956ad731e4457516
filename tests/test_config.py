"""What a stack may say, and what the program then gets. Wrong stack files: test_wrong_stacks.py."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from stack_config import load_stack, load_stack_file, report_of

from config.extra_args import canonical_flag, owned_flag
from config.faults import Fault, key_path, report, shown
from config.models import ChartOverride, ClusterSettings, ModelSettings
from config.pins import ADDON_VERSIONS, DEFAULT_KUBERNETES_VERSION, NODE_RELEASE_VERSION
from config.sections import parse_section
from config.stack_file import SECRET_PLACEHOLDER, read_stack_file
from planner.options import ServingOptions
from planner.vllm_args import CHART_OWNED_FLAGS, PLANNER_OWNED_FLAGS

ROOT = Path(__file__).parent.parent
SCOUT = "meta-llama/Llama-4-Scout-17B-16E-Instruct"


def model(**settings: Any) -> dict[str, Any]:
    return {"model": "Qwen/Qwen3-8B", "instanceType": "g5.12xlarge", "zone": "us-west-2a", **settings}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copy(ROOT / "Pulumi.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_stack(folder: Path, models: dict[str, Any] | None = None, **keys: Any) -> None:
    """Write Pulumi.test.yaml: a good stack, with some keys changed (None removes one)."""
    config = {
        "aws:region": "us-west-2",
        "network": {"zones": ["us-west-2a", "us-west-2b"]},
        "cluster": {"publicAccessCidrs": ["203.0.113.7/32"]},
        "models": models or {"qwen3": model()},
        **keys,
    }
    (folder / "Pulumi.test.yaml").write_text(yaml.safe_dump({"config": config}))


# The two stacks we ship


def test_the_dev_stack_is_accepted_as_it_stands() -> None:
    stack = load_stack(ROOT, "dev")

    scout = stack.settings.models["llama-4-scout"]
    assert (stack.region, stack.cluster_name) == ("us-west-2", "vllm-eks-dev")
    assert stack.settings.network.zones == ("us-west-2a", "us-west-2b", "us-west-2c", "us-west-2d")
    assert scout.model == "RedHatAI/Llama-4-Scout-17B-16E-Instruct-quantized.w4a16"
    assert (scout.instance_type, scout.zone, scout.max_model_len) == ("g5.48xlarge", "us-west-2a", 16384)
    assert (stack.hugging_face_token, stack.api_key, stack.open_questions) == (None, None, ())


def test_the_prod_stack_is_refused_until_its_token_is_set() -> None:
    assert report_of(ROOT, "prod").endswith("then run: pulumi config set --secret huggingFaceToken")


def test_the_prod_stack_previews_offline_with_its_token_as_an_open_question() -> None:
    stack = load_stack_file(read_stack_file(ROOT, "prod").for_offline_preview())

    scout = stack.settings.models["llama-4-scout"]
    assert stack.hugging_face_token is not None
    assert stack.open_questions == (
        f"huggingFaceToken is not set, and {SCOUT} is gated on Hugging Face: pulumi up will refuse until you run: "
        "pulumi config set --secret huggingFaceToken",
    )
    assert scout.serving_options() == ServingOptions(
        max_model_len=16384, max_num_seqs=64, limit_mm_per_prompt={"image": 1}
    )


def test_an_offline_preview_without_gated_models_makes_no_token_up(folder: Path) -> None:
    write_stack(folder)

    stack = load_stack_file(read_stack_file(folder, "test").for_offline_preview())

    assert (stack.hugging_face_token, stack.open_questions) == (None, ())


def test_an_offline_preview_leaves_a_token_that_is_set_alone(folder: Path) -> None:
    write_stack(folder, {"scout": model(model=SCOUT)}, huggingFaceToken={"secure": "v1:abc"})
    file = read_stack_file(folder, "test")

    assert file.for_offline_preview() is file
    assert load_stack_file(file).open_questions == ()


def test_the_shipped_stacks_hold_no_secret_and_no_salt() -> None:
    for stack in ("dev", "prod"):
        assert read_stack_file(ROOT, stack).secret_keys == []
        assert "encryptionsalt" not in (ROOT / f"Pulumi.{stack}.yaml").read_text()


def test_every_key_in_pulumi_yaml_has_a_description_and_a_default() -> None:
    # Pulumi demands a declared key without a default from every stack, in words of its own and one at a time.
    declared = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]

    assert set(declared) == {"network", "cluster", "models", "tags", "charts", "huggingFaceToken", "apiKey"}
    assert all(key["description"] and "default" in key for key in declared.values())


# Secrets


def test_secrets_are_outputs_that_stay_secret(folder: Path) -> None:
    write_stack(folder, apiKey={"secure": "v1:abc"}, huggingFaceToken={"secure": "v1:def"})
    file = read_stack_file(folder, "test")
    values = {**file.config, "vllm-eks:apiKey": "hunter2"}

    async def check() -> None:
        stack = load_stack_file(replace(file, config=values))
        assert stack.api_key is not None
        assert stack.hugging_face_token is not None
        assert await stack.api_key.is_secret()
        assert await stack.hugging_face_token.is_secret()
        assert await stack.api_key.future() == "hunter2"

    pulumi.runtime.test(check)()


def test_an_empty_secret_is_not_given(folder: Path) -> None:
    write_stack(folder, {"scout": model(model=SCOUT)}, apiKey="", huggingFaceToken="")

    assert "huggingFaceToken: is missing" in report_of(folder, "test")


def test_a_closed_value_needs_no_passphrase_and_is_never_read(folder: Path) -> None:
    write_stack(folder, apiKey={"secure": "v1:abc"}, tags={"team": {"secure": "v1:def"}})

    file = read_stack_file(folder, "test")

    assert file.secret_keys == ["vllm-eks:apiKey", "vllm-eks:tags"]
    assert file.config["vllm-eks:apiKey"] == SECRET_PLACEHOLDER
    assert "v1:" not in json.dumps(file.config)


def test_a_secret_in_a_section_never_shows_in_the_report(folder: Path) -> None:
    write_stack(folder, {"qwen3": model(efa={"secure": "v1:abc"})})
    file = read_stack_file(folder, "test")
    opened = {key: value.replace(SECRET_PLACEHOLDER, "hunter2") for key, value in file.config.items()}

    with pytest.raises(pulumi.RunError) as refused:
        load_stack_file(replace(file, config=opened))

    assert "holds a secure: value" in str(refused.value)
    assert "hunter2" not in str(refused.value)


# What the settings give to the program


def test_a_model_passes_every_wish_on_to_the_planner(folder: Path) -> None:
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
        "image": "docker.io/vllm/vllm-openai:v0.20.2",
        "vllmVersion": "0.20.2",
    }
    write_stack(folder, {"scout": model(model=SCOUT, **wishes)}, huggingFaceToken="x")

    scout = load_stack(folder, "test").settings.models["scout"]

    assert scout.image == "docker.io/vllm/vllm-openai:v0.20.2"
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
        vllm_version="0.20.2",
    )


def test_a_model_without_wishes_takes_the_planners_defaults() -> None:
    assert ModelSettings.model_validate(model()).serving_options() == ServingOptions()


def test_a_utilization_that_pulumi_config_set_left_as_text_is_a_number() -> None:
    assert ModelSettings.model_validate(model(gpuMemoryUtilization="0.9")).gpu_memory_utilization == 0.9


def test_the_cluster_takes_the_pins_unless_the_stack_says_otherwise() -> None:
    cidrs = {"publicAccessCidrs": []}
    pinned = ClusterSettings.model_validate(cidrs)
    own = ClusterSettings.model_validate(
        {**cidrs, "addonVersions": {"coredns": "v1.14.4-eksbuild.1"}, "nodeReleaseVersion": "1.36.3-20261001"}
    )

    assert (pinned.kubernetes_version, pinned.node_release_version) == ("1.36", NODE_RELEASE_VERSION)
    assert pinned.addon_versions == ADDON_VERSIONS
    assert own.addon_versions == {**ADDON_VERSIONS, "coredns": "v1.14.4-eksbuild.1"}
    assert own.node_release_version == "1.36.3-20261001"


def test_the_pins_are_of_the_default_kubernetes_version() -> None:
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


def test_the_kubeconfig_path_is_expanded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))
    (folder / "kubeconfig").touch()
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
    default = {"chart": "oci://registry.k8s.io/lws/charts/lws", "repository": None, "version": "0.10.0"}

    assert tuple(ChartOverride.model_validate(override).over(**default).values()) == source


def test_a_local_chart_has_neither_repository_nor_version(folder: Path) -> None:
    (folder / "lws").mkdir()
    (folder / "lws" / "Chart.yaml").touch()
    local = ChartOverride.model_validate({"path": "./lws"})

    source = local.over(chart="nvidia-device-plugin", repository="https://nvidia.example", version="0.20.0")

    assert source == {"chart": "./lws", "repository": None, "version": None}


def test_a_local_chart_beside_a_repository_is_refused(folder: Path) -> None:
    (folder / "lws").mkdir()
    (folder / "lws" / "Chart.yaml").touch()
    write_stack(folder, charts={"leaderWorkerSet": {"path": "./lws", "version": "0.10.0"}})

    assert report_of(folder, "test") == (
        "Pulumi.test.yaml has 1 fault:\n  vllm-eks:charts.leaderWorkerSet.path: stands beside repository or version, "
        "which a local folder does not use: remove one or the other"
    )


def test_the_role_and_profile_of_the_aws_provider_are_handed_on(folder: Path) -> None:
    roles = [{"roleArn": "arn:aws:iam::123456789012:role/deploy"}]
    write_stack(folder, **{"aws:profile": "work", "aws:assumeRoles": roles})

    stack = load_stack(folder, "test")

    assert (stack.aws_profile, stack.aws_role_arn) == ("work", "arn:aws:iam::123456789012:role/deploy")


def test_a_stack_name_that_no_cluster_may_bear_is_refused(folder: Path) -> None:
    write_stack(folder)
    (folder / "Pulumi.test.yaml").rename(folder / "Pulumi.a.b.yaml")

    assert "EKS refuses 'vllm-eks-a.b' as a cluster's name" in report_of(folder, "a.b")


@pytest.mark.parametrize("name", ["capacityReservationId", "parked"])
def test_settings_that_do_nothing_yet_are_refused(folder: Path, name: str) -> None:
    write_stack(folder, {"qwen3": model(**{name: "cr-1"})})

    assert f"vllm-eks:models.qwen3.{name}: is not a setting" in report_of(folder, "test")


# Flags


@pytest.mark.parametrize("flag", sorted(PLANNER_OWNED_FLAGS | CHART_OWNED_FLAGS))
def test_no_flag_of_ours_gets_through(folder: Path, flag: str) -> None:
    underscored = flag[:2] + flag[2:].replace("-", "_")
    for spelling in {flag, f"{flag}=1", underscored}:
        write_stack(folder, {"qwen3": model(extraArgs=["--seed", "7", spelling])})
        assert "vllm-eks:models.qwen3.extraArgs[2]: " in report_of(folder, "test")


def test_other_flags_and_their_values_pass(folder: Path) -> None:
    args = ["--seed", "7", "--trust-remote-code", "--tool-call-parser=llama4_pythonic", "-O3"]
    write_stack(folder, {"qwen3": model(extraArgs=args)})

    assert load_stack(folder, "test").settings.models["qwen3"].extra_args == tuple(args)


def test_a_flag_is_known_in_every_form_vllm_takes() -> None:
    assert owned_flag(canonical_flag("--no_enforce_eager")) == "--enforce-eager"
    assert owned_flag(canonical_flag("--limit-mm-per-prompt.image")) == "--limit-mm-per-prompt"
    assert owned_flag("--tensor") == "--tensor-parallel-size"
    assert owned_flag("-n2") == "-n"
    assert owned_flag("--seed") is None
    assert owned_flag("-O3") is None


# Faults


def test_one_bad_value_hides_no_fault_of_the_others(folder: Path) -> None:
    write_stack(folder, {"qwen3": model(replicas=0, zone="us-west-2c", image="docker.io/x/y:latest")})

    assert report_of(folder, "test").splitlines() == [
        "Pulumi.test.yaml has 4 faults:",
        "  vllm-eks:models.qwen3.replicas: 0 is too small: write 1 or more",
        "  vllm-eks:models.qwen3.image: 'docker.io/x/y:latest' is whatever was pushed last: name a version's tag or a "
        "digest (@sha256:...)",
        "  vllm-eks:models.qwen3.zone: 'us-west-2c' is not one of network.zones [us-west-2a, us-west-2b]: add it there "
        "or move the model",
        "  vllm-eks:models.qwen3.vllmVersion: is missing beside an own image: give the vLLM version inside it, such as "
        '"0.21.0"',
    ]


def test_a_bad_value_is_not_blamed_twice() -> None:
    parsed = parse_section(ModelSettings, model(vllmVersion=0.2, image="docker.io/x/y:1"), "models.qwen3")

    assert len(parsed.faults) == 1
    assert parsed.settings.own_vllm_version is None
    assert "own_vllm_version" in parsed.settings.model_fields_set


def test_keys_are_written_as_pulumi_config_set_path_takes_them() -> None:
    assert key_path("vllm-eks:models", "qwen2.5", "extraArgs", 0) == 'vllm-eks:models["qwen2.5"].extraArgs[0]'


def test_a_long_value_is_cut() -> None:
    assert shown("x" * 200) == f"'{'x' * 79}... is text"


def test_one_fault_is_told_in_the_singular() -> None:
    fault = Fault(key="aws:region", text="is missing")

    assert report("dev", [fault]) == "Pulumi.dev.yaml has 1 fault:\n  aws:region: is missing"
    assert report("dev", [fault, fault]).startswith("Pulumi.dev.yaml has 2 faults:\n")
