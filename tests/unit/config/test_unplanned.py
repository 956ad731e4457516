"""Models without a shipped lock file: a folder or a lock next to the stack file, or stated sizes without a plan."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from config.settings.model import ModelSettings
from tests.support.stack_config import load_stack, model, report_of, write_stack
from vllm_eks.planner.models.known_models import LOCKED, find_model
from vllm_eks.planner.models.lock_folders import writable_models_folder
from vllm_eks.planner.search.named_models import find_stack_model

STATED = {
    "model": "acme/odd-70b",
    "instanceType": "p5.48xlarge",
    "planned": False,
    "tensorParallelSize": 8,
    "pipelineParallelSize": 1,
    "maxModelLen": 8192,
    "weightsGib": 140,
}
S3 = {"source": "s3", "s3Uri": "s3://models/mine"}


def error_of(folder: Path, **settings: Any) -> str:
    """Return the one error of a stack with this model."""
    write_stack(folder, {"odd": {"zone": "us-west-2a", **settings}})
    head, *errors = report_of(folder, "test").split("\n  ")
    assert head == "Pulumi.test.yaml has 1 error:"
    (text,) = errors
    return text.removeprefix("vllm-eks:models.odd.")


# --- stated sizes


def test_an_unknown_model_is_accepted_with_its_sizes(folder: Path) -> None:
    write_stack(folder, {"odd": {"zone": "us-west-2a", **STATED}})
    settings = load_stack(folder, "test").settings.models["odd"]
    plan = settings.plan(region="us-west-2")
    assert plan.fits
    assert plan.sizes is plan.stated
    assert (plan.total_nodes, plan.gpus_per_pod, plan.model.weights_bytes) == (1, 8, 140 * 2**30)


@pytest.mark.parametrize(
    ("left_out", "said"),
    [
        (("weightsGib",), "weightsGib is missing"),
        (("tensorParallelSize", "maxModelLen"), "tensorParallelSize and maxModelLen are missing"),
        (
            ("tensorParallelSize", "pipelineParallelSize", "maxModelLen", "weightsGib"),
            "tensorParallelSize, pipelineParallelSize, maxModelLen and weightsGib are missing",
        ),
    ],
)
def test_missing_sizes_are_one_error(folder: Path, left_out: tuple[str, ...], said: str) -> None:
    settings = {key: value for key, value in STATED.items() if key not in left_out}
    assert error_of(folder, **settings) == (
        f"planned: false needs the sizes of the model, and {said}: add them, or remove planned"
    )


def test_keys_that_need_a_plan_are_refused_without_one(folder: Path) -> None:
    assert error_of(folder, **STATED, toolCallParser="auto") == (
        "toolCallParser: auto needs a plan, which knows the model's family: set the parser by name, or remove "
        "toolCallParser"
    )
    assert error_of(folder, **model(weightsGib=16)) == "weightsGib: is only for planned: false: remove it"
    assert error_of(folder, **{**STATED, "weightsGib": 0}).startswith("weightsGib: ")


@pytest.mark.parametrize("name", ["", "a/b/c", "acme/odd model", "https://huggingface.co/acme/odd", "модель"])
def test_a_model_without_a_plan_has_an_id_of_the_hub(folder: Path, name: str) -> None:
    error = error_of(folder, **{**STATED, "model": name})
    assert error == f"model: {name!r} is not a Hugging Face ID: set <organization>/<name>"


def test_a_wrong_location_of_a_folder_s_weights_is_one_error(folder: Path) -> None:
    a_folder(folder / "my-model")
    error = error_of(folder, **model(model="./my-model", weights={"source": "s3", "s3Uri": "http://models"}))
    assert error == (
        "weights.s3Uri: 'http://models' is not an S3 location: use s3://bucket/prefix, where the prefix is the folder "
        "of config.json"
    )
    error = error_of(folder, **model(model="./my-model", weights="s3"))
    assert error == "weights: 's3' is text, not a section: put keys and values below it"


def test_a_known_model_may_also_have_no_plan() -> None:
    settings = ModelSettings.model_validate({**STATED, "model": "Qwen/Qwen3-8B", "zone": "us-west-2a"})
    assert settings.plan(region="us-west-2").layout is None


# --- a folder next to the stack file


def a_folder(at: Path, model_id: str = "Qwen/Qwen3-8B") -> None:
    at.mkdir()
    locked = json.loads((LOCKED / f"{model_id.replace('/', '--')}.json").read_text())
    (at / "config.json").write_text(json.dumps(locked["config"]))


def test_a_folder_with_a_config_is_planned_and_served_from_s3(folder: Path) -> None:
    a_folder(folder / "my-model")
    (folder / "my-model" / "model.safetensors.index.json").write_text('{"metadata": {"total_size": 16400000000}}')
    write_stack(folder, {"odd": model(model="./my-model", weights=S3)})
    plan = load_stack(folder, "test").settings.models["odd"].plan(region="us-west-2")
    assert (plan.model.id, plan.model.weights_bytes, plan.model.weights_source) == ("my-model", 16400000000, "index")
    assert plan.fits
    assert plan.layout


def test_a_folder_needs_its_config_and_weights_that_pods_can_read(folder: Path) -> None:
    assert error_of(folder, **model(model="./my-model", weights=S3)) == (
        "model: ./my-model has no config.json: put the model's config.json into that folder"
    )
    a_folder(folder / "my-model")
    assert error_of(folder, **model(model="./my-model")) == (
        "weights.s3Uri: is missing: pods cannot read the folder ./my-model: set source: s3, and s3Uri to the S3 "
        "folder with its config.json and weights"
    )
    (folder / "empty").mkdir()
    (folder / "empty" / "config.json").write_text("{}")
    assert error_of(folder, **model(model="./empty", weights=S3)).startswith("model: ")


# --- a lock next to the stack file


def test_a_lock_next_to_the_stack_file_has_priority(folder: Path) -> None:
    shipped = find_model("Qwen/Qwen3-8B")
    assert writable_models_folder() != folder / "models"
    (folder / "models").mkdir()
    assert writable_models_folder() == folder / "models"
    shutil.copy(LOCKED / "Qwen--Qwen3-8B.json", folder / "models" / "acme--mine.json")
    document = json.loads((folder / "models" / "acme--mine.json").read_text())
    (folder / "models" / "acme--mine.json").write_text(json.dumps({**document, "id": "acme/mine"}))
    (folder / "models" / "Qwen--Qwen3-8B.json").write_text(json.dumps({**document, "revision": "f" * 40}))
    assert find_stack_model("acme/mine").id == "acme/mine"
    assert find_stack_model("Qwen/Qwen3-8B").revision == "f" * 40 != shipped.revision
    write_stack(folder, {"odd": model(model="acme/mine")})
    assert load_stack(folder, "test").settings.models["odd"].plan(region="us-west-2").fits


def test_a_folder_of_models_elsewhere_is_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "models").mkdir()
    (folder / "Pulumi.yaml").unlink()
    assert writable_models_folder() != folder / "models"
