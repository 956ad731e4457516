"""Environment variables that a stack may give to vLLM's containers."""

import re
from pathlib import Path

import pytest

from components.serving.helm_values import release_values
from config.cross_field.env import (
    CHART_NAMES,
    HARMLESS_VALUES,
    REFUSED,
    WARNED,
    env_errors,
    env_warnings,
)
from config.settings.model import ModelSettings
from tests.fakes.vllm_server import vllm_double
from tests.support.chart_rendering import CHART, Rendered, model_values, render_text, tool
from tests.support.plans import QWEN_8B, planned
from tests.support.stack_config import load_stack, model, report_of, write_stack
from vllm_eks.planner.engine.flag_tables import nearest_table
from vllm_eks.planner.search.gpu_nodes import GpuNodes
from vllm_eks.pods import engine


def said(env: dict[str, str]) -> tuple[list[str], list[str]]:
    """Return the errors and the warnings about some variables, without their key."""
    given = ModelSettings.model_validate(model(env=env))
    return [str(one) for one in env_errors(given, "m")], [str(one) for one in env_warnings(given, "m")]


def test_every_name_that_the_chart_sets_is_refused() -> None:
    set_there = set()
    for template in (CHART / "templates").iterdir():
        set_there |= set(re.findall(r"^\s*- name: ([A-Z][A-Z0-9_]+)$", template.read_text(), re.MULTILINE))
    assert len(set_there) > 20
    assert set_there == CHART_NAMES
    for name in CHART_NAMES:
        assert said({name: "x"})[0] == [f"m.env.{name}: is set by the chart: remove it"]


@pytest.mark.skipif(tool("helm") is None, reason="helm is not installed")
def test_leader_and_workers_get_the_same_variables(folder: Path) -> None:
    env = {
        "NCCL_DEBUG": "INFO",
        "OMP_NUM_THREADS": "4",
        "LMCACHE_TRACK_USAGE": "false",
        "A": "$(POD_IP):1 'quoted' \"too\"",
    }
    write_stack(folder, {"qwen3": model(env=env)})
    settings = load_stack(folder, "test").settings
    values = release_values(
        GpuNodes(plan=planned(QWEN_8B), zones=("us-west-2a",)),
        settings.models["qwen3"].serving_spec("qwen3", settings.images),
    )
    assert values["env"] == env
    rendered = Rendered(render_text(model_values(pipeline=2, env=env)))
    for role in ("leader", "worker"):
        assert env.items() <= rendered.env(role).items()
        names = [entry["name"] for entry in rendered.container(role)["env"]]
        assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("env", "error"),
    [
        ({"OMP_NUM_THREADS": 4}, "env.OMP_NUM_THREADS: 4 is a number, not text: put it in quotes"),
        ({"NCCL_P2P_DISABLE": True}, "env.NCCL_P2P_DISABLE: true is a boolean, not text: put it in quotes"),
        (
            {"MY-NAME": "x"},
            "env.MY-NAME: is not a valid variable name: use letters, digits and _, starting with a letter",
        ),
        ({"CUDA_VISIBLE_DEVICES": "0"}, "env.CUDA_VISIBLE_DEVICES: Kubernetes gives each pod its GPUs: remove it"),
        (
            {"LWS_GROUP_SIZE": "4"},
            "env.LWS_GROUP_SIZE: is set by Kubernetes, LeaderWorkerSet or EKS: remove it",
        ),
        (
            {"HF_TOKEN": "hf_abcdefghijklmnopqrstuvwx"},
            "env.HF_TOKEN: looks like a secret, which would be visible in the pod, the release and the state: run "
            "pulumi config "
            "set --secret huggingFaceToken, and remove it",
        ),
        (
            {"AWS_SECRET_ACCESS_KEY": "x"},
            "env.AWS_SECRET_ACCESS_KEY: looks like a secret, which would be visible in the pod, the release and the "
            "state: pods read S3 with their own role (weights.source: s3), so remove it",
        ),
    ],
)
def test_a_variable_that_breaks_the_pods_is_refused(folder: Path, env: dict, error: str) -> None:
    write_stack(folder, {"qwen3": model(env=env)})
    assert report_of(folder, "test").splitlines()[1:] == [f"  vllm-eks:models.qwen3.{error}"]


SECRETS = {
    **{"HUGGING_FACE_HUB_TOKEN": "x", "HUGGINGFACE_TOKEN": "x", "AWS_ACCESS_KEY_ID": "x", "AWS_SESSION_TOKEN": "x"},
    **{"OPENAI_API_KEY": "x", "WANDB_API_KEY": "x", "DD_APIKEY": "x", "VLLM_API_KEY": "x", "MY_PASSWORD": "x"},
    **{"GITHUB_TOKEN": "x", "S3_ACCESS_KEY_ID": "x", "CLIENT_SECRET": "x", "GOOGLE_APPLICATION_CREDENTIALS": "x"},
    **{"A": "hf_" + "a" * 34, "B": "sk-proj-" + "a" * 30, "C": "AKIA" + "A" * 16, "D": "ghp_" + "a" * 36},
    **{"E": "http://me:pass@proxy:3128", "F": "Authorization=Bearer abcdefgh12", "G": "-----BEGIN RSA PRIVATE KEY"},
    **{"H": "eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.x", "I": "xoxb-1234567890-abc", "J": "--token=hf_" + "b" * 34},
}


def test_values_that_look_like_secrets_are_refused_and_never_shown() -> None:
    for name, value in SECRETS.items():
        (error,), warnings = said({name: value})
        assert "looks like a secret" in error, name
        assert value == "x" or value not in error
        assert warnings == []


def test_names_and_values_that_only_resemble_secrets_pass() -> None:
    env = {
        **{"TOKENIZERS_PARALLELISM": "false", "NCCL_DEBUG": "INFO", "VLLM_SHARED_EXPERTS_STREAM_TOKEN_THRESHOLD": "1"},
        **{"HTTPS_PROXY": "http://proxy.example:3128", "HF_ENDPOINT": "https://hub.example", "OMP_NUM_THREADS": "8"},
        **{"VLLM_LOGGING_LEVEL": "DEBUG", "NVIDIA_DRIVER_CAPABILITIES": "all", "TASK": "sk-short", "X": "hf_short"},
        **{"VLLM_SKIP_P2P_CHECK": "1", "VLLM_IMAGE_FETCH_TIMEOUT": "30", "TMPDIR": "/tmp/x"},
    }
    assert said(env) == ([], [])


def test_only_keys_and_tokens_of_vllm_look_like_secrets() -> None:
    for version in ("0.21.0", "0.27.0", "0.32.0", "0.33.0"):
        refused = [one for name in nearest_table(version).environment for one in said({name: "1"})[0]]
        secret = {one.split(":")[0] for one in refused if "looks like a secret" in one}
        assert secret == {"m.env.VLLM_API_KEY", "m.env.S3_ACCESS_KEY_ID", "m.env.S3_SECRET_ACCESS_KEY"}


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_variable_that_breaks_the_plan_says_why(name: str) -> None:
    assert said({name: "other"}) == ([f"m.env.{name}: {REFUSED[name]}"], [])
    assert re.search(r": (remove it|use the model's key \w+)", REFUSED[name])


@pytest.mark.parametrize(
    ("name", "value", "warning"),
    [
        ("LD_LIBRARY_PATH", "/usr/local/cuda/compat", WARNED["LD_LIBRARY_PATH"]),
        ("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True", WARNED["PYTORCH_CUDA_ALLOC_CONF"]),
        ("VLLM_LOGGING_LEVEL", "ERROR", WARNED["VLLM_LOGGING_LEVEL"]),
        ("VLLM_LOGING_LEVEL", "INFO", "vLLM 0.27.0 does not read this variable: did you mean VLLM_LOGGING_LEVEL?"),
        ("VLLM_ZZZ", "1", "vLLM 0.27.0 does not read this variable"),
        (
            "MY_CACHE_DIR",
            "/root/.cache",
            "the root filesystem is read-only: set a path below /tmp, /home/vllm, /weights, /dev/shm",
        ),
    ],
)
def test_effects_outside_the_plan_are_warned_of(name: str, value: str, warning: str) -> None:
    assert said({name: value}) == ([], [f"m.env.{name}: {warning}"])


def test_harmless_values_pass() -> None:
    for name, values in HARMLESS_VALUES.items():
        for value in values:
            assert said({name: value}) in (([], []), ([], [f"m.env.{name}: vLLM 0.27.0 does not read this variable"]))


def test_probes_ignore_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with vllm_double() as double:
        assert engine.read_health(f"http://127.0.0.1:{double.port}", timeout_seconds=5).trouble == ""
