"""Valid stack files and the resulting settings. Wrong stack files: test_wrong_stacks.py."""

import json
from dataclasses import replace
from pathlib import Path

import pulumi
import pytest
import yaml

from config.errors import ConfigError, report
from config.sections import parse_section
from config.settings.model import ModelSettings
from config.stack_keys import SECRETS, SECTIONS
from tests.support.stack_config import load_stack, load_stack_file, model, report_of, write_stack
from vllm_eks.planner.engine.options import ServingOptions
from vllm_eks.specs.secrets import Secrets
from vllm_eks.stack_files.read import read_stack_file
from vllm_eks.stack_files.stack_file import SECRET_PLACEHOLDER
from vllm_eks.stack_files.wording import key_path, shown

ROOT = Path(__file__).parents[3]
SCOUT = "meta-llama/Llama-4-Scout-17B-16E-Instruct"


# The two shipped stacks


def test_the_dev_stack_is_valid() -> None:
    stack = load_stack(ROOT, "dev")

    scout = stack.settings.models["llama-4-scout"]
    assert (stack.deployer.region, stack.cluster_name) == ("us-west-2", "vllm-eks-dev")
    assert stack.settings.network.zones == ("us-west-2a", "us-west-2b", "us-west-2c", "us-west-2d")
    assert scout.model == "RedHatAI/Llama-4-Scout-17B-16E-Instruct-quantized.w4a16"
    assert (scout.instance_type, scout.zone, scout.max_model_len) == ("g5.48xlarge", "us-west-2a", 16384)
    assert (stack.secrets, stack.open_questions) == (Secrets(), ())


def test_the_prod_stack_is_refused_until_its_token_is_set() -> None:
    assert report_of(ROOT, "prod").endswith("then run pulumi config set --secret huggingFaceToken")


def test_the_prod_stack_previews_offline_with_its_token_as_an_open_question() -> None:
    stack = load_stack_file(read_stack_file(ROOT, "prod").for_offline_preview())

    scout = stack.settings.models["llama-4-scout"]
    assert stack.secrets.hugging_face_token is not None
    assert stack.open_questions == (
        f"huggingFaceToken is not set, and {SCOUT} is gated on Hugging Face: pulumi up will fail until you run: "
        "pulumi config set --stack prod --secret huggingFaceToken",
    )
    assert scout.serving_options() == ServingOptions(
        max_model_len=16384, pipeline_parallel_size=2, limit_mm_per_prompt={"image": 1}
    )


def test_an_offline_preview_without_gated_models_has_no_token(folder: Path) -> None:
    write_stack(folder)

    stack = load_stack_file(read_stack_file(folder, "test").for_offline_preview())

    assert (stack.secrets.hugging_face_token, stack.open_questions) == (None, ())


def test_an_offline_preview_keeps_a_token_that_is_set(folder: Path) -> None:
    write_stack(folder, {"scout": model(model=SCOUT)}, huggingFaceToken={"secure": "v1:abc"})
    file = read_stack_file(folder, "test")

    assert file.for_offline_preview() is file
    assert load_stack_file(file).open_questions == ()


def test_the_shipped_stacks_hold_no_secret_and_no_salt() -> None:
    for stack in ("dev", "prod"):
        assert read_stack_file(ROOT, stack).secret_keys == []
        assert "encryptionsalt" not in (ROOT / f"Pulumi.{stack}.yaml").read_text()


def test_every_key_in_pulumi_yaml_has_a_description_and_a_default() -> None:
    # Pulumi requires every declared key without a default, with its own message and one at a time.
    declared = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]

    assert set(declared) == {*SECTIONS, *SECRETS}
    assert all(key["description"] and "default" in key for key in declared.values())


# Secrets


def test_secrets_are_outputs_that_stay_secret(folder: Path) -> None:
    write_stack(folder, apiKey={"secure": "v1:abc"}, huggingFaceToken={"secure": "v1:def"})
    file = read_stack_file(folder, "test")
    values = {**file.config, "vllm-eks:apiKey": "hunter2"}

    async def check() -> None:
        stack = load_stack_file(replace(file, config=values))
        assert stack.secrets.api_key is not None
        assert stack.secrets.hugging_face_token is not None
        assert await stack.secrets.api_key.is_secret()
        assert await stack.secrets.hugging_face_token.is_secret()
        assert await stack.secrets.api_key.future() == "hunter2"

    pulumi.runtime.test(check)()


def test_a_secret_in_plain_text_is_warned_of_without_being_shown(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", warnings.append)
    write_stack(folder, apiKey="hunter2", huggingFaceToken={"secure": "v1:def"})

    load_stack(folder, "test")

    assert warnings == [
        "vllm-eks:apiKey is in plaintext in the stack file: run pulumi config set --secret apiKey, and replace the "
        "secret if others have seen the file"
    ]


def test_an_empty_secret_counts_as_missing(folder: Path) -> None:
    write_stack(folder, {"scout": model(model=SCOUT)}, apiKey="", huggingFaceToken="")

    assert "huggingFaceToken: is missing" in report_of(folder, "test")


def test_an_encrypted_value_needs_no_passphrase_and_is_never_read(folder: Path) -> None:
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

    assert "has a secure: value" in str(refused.value)
    assert "hunter2" not in str(refused.value)


# Faults


def test_an_invalid_value_does_not_hide_other_errors(folder: Path) -> None:
    write_stack(folder, {"qwen3": model(replicas=0, zone="us-west-2c", image="docker.io/x/y:latest")})

    assert report_of(folder, "test").splitlines() == [
        "Pulumi.test.yaml has 4 errors:",
        "  vllm-eks:models.qwen3.replicas: 0 is too small: set 1 or more",
        "  vllm-eks:models.qwen3.image: 'docker.io/x/y:latest' changes with each push: use a version tag or a digest "
        "(@sha256:...)",
        '  vllm-eks:models.qwen3.vllmVersion: is missing: image needs the vLLM version inside it, such as "0.21.0"',
        "  vllm-eks:models.qwen3.zone: 'us-west-2c' is not in network.zones [us-west-2a, us-west-2b]: add it there, "
        "or choose another zone",
    ]


def test_an_invalid_value_is_reported_once() -> None:
    parsed = parse_section(ModelSettings, model(vllmVersion=0.2, image="docker.io/x/y:1"), "models.qwen3")

    assert len(parsed.errors) == 1
    assert parsed.settings is not None
    assert parsed.settings.own_vllm_version is None
    assert "own_vllm_version" in parsed.settings.model_fields_set


def test_keys_have_the_syntax_of_pulumi_config_set_path() -> None:
    assert key_path("vllm-eks:models", "qwen2.5", "extraArgs", 0) == 'vllm-eks:models["qwen2.5"].extraArgs[0]'


def test_a_long_value_is_cut() -> None:
    assert shown("x" * 200) == f"'{'x' * 79}... is text"


def test_one_error_is_reported_in_the_singular() -> None:
    error = ConfigError(key="aws:region", text="is missing")

    assert report("dev", [error]) == "Pulumi.dev.yaml has 1 error:\n  aws:region: is missing"
    assert report("dev", [error, error]).startswith("Pulumi.dev.yaml has 2 errors:\n")
