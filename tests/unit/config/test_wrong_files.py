"""Wrong files get clear errors and no traceback: stack files, project files, kubeconfigs and model folders.

`test_wrong_stacks` has exact reports, and `test_stack_file` files that are not YAML. Here is one wrong value for each
key, and files of every wrong kind, each with a part of its error.
"""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.stack_file_errors import good_config, reported
from tests.support.wrong_files import ELSEWHERE, JSON_FILES, KUBECONFIGS, MODEL
from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.hardware.instance_files import read_instance_file
from vllm_eks.planner.search.model_folder import read_model_folder


def one_line(lines: list[str], *needed: str) -> None:
    """Assert that exactly one line is about the error."""
    found = [line for line in lines if all(text in line for text in needed)]
    assert len(found) == 1, (needed, lines)


@pytest.mark.parametrize(("key", "value", "text"), MODEL, ids=[f"{n}-{case[0][:24]}" for n, case in enumerate(MODEL)])
def test_a_wrong_value_of_a_model_gets_one_line(folder: Path, key: str, value: Any, text: str) -> None:
    config = good_config()
    config["vllm-eks:models"]["qwen3"][key] = value

    one_line(reported(folder, yaml.safe_dump({"config": config})), "vllm-eks:models.qwen3", key[:20], text)


@pytest.mark.parametrize(("key", "value", "text"), ELSEWHERE, ids=[f"{n}-{c[0][:30]}" for n, c in enumerate(ELSEWHERE)])
def test_a_wrong_value_elsewhere_gets_one_line(folder: Path, key: str, value: Any, text: str) -> None:
    lines = reported(folder, yaml.safe_dump({"config": {**good_config(), key: value}}))

    one_line(lines, key.partition(":")[2].split(".")[0], text)


def test_a_project_of_another_name_gets_a_line_for_each_key_and_no_other(folder: Path) -> None:
    text = yaml.safe_dump({"config": good_config()}).replace("vllm-eks:", "my-llm:")

    assert [line.partition(": ")[0] for line in reported(folder, text)[1:]] == [
        "  my-llm:network",
        "  my-llm:cluster",
        "  my-llm:models",
    ]


def test_a_secret_below_the_wrong_key_is_not_shown(folder: Path) -> None:
    keys = {
        "vllm-eks:apiKey.x": "sk-1",
        "llm:apiKey": "sk-2",
        "vllm-eks:cluster.x": {"secure": "sk-3"},
        "vllm-eks:api": "sk-4",
    }

    lines = reported(folder, yaml.safe_dump({"config": {**good_config(), **keys}}))

    assert len(lines) == 5
    assert "sk-" not in "".join(lines)


@pytest.mark.parametrize(("content", "text"), KUBECONFIGS, ids=[f"{n}" for n in range(len(KUBECONFIGS))])
def test_a_wrong_kubeconfig_gets_one_line(folder: Path, content: bytes, text: str) -> None:
    (folder / "kubeconfig").write_bytes(content)
    config = good_config()
    config["vllm-eks:cluster"]["kubeconfigPath"] = "kubeconfig"

    lines = reported(folder, yaml.safe_dump({"config": config}))

    one_line(lines, "vllm-eks:cluster.kubeconfigPath: 'kubeconfig'", text)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("nowhere", "does not exist or is not a file"),
        (".", "is a folder"),
        ("/dev/zero", "is a device or a pipe"),
        ("pipe", "is a device or a pipe"),
        ("x\0", "is not a valid path"),
        ("~no-such-user/config", "is not a valid path"),
        ("x" * 300, "is not a valid path"),
        (5, "5 is a number, not text"),
    ],
)
def test_a_kubeconfig_that_is_not_a_file_gets_one_line(folder: Path, path: Any, text: str) -> None:
    os.mkfifo(folder / "pipe")
    config = good_config()
    config["vllm-eks:cluster"]["kubeconfigPath"] = path

    one_line(reported(folder, yaml.safe_dump({"config": config})), "vllm-eks:cluster.kubeconfigPath: ", text)


@pytest.mark.parametrize(("content", "text"), JSON_FILES, ids=[f"{n}" for n in range(len(JSON_FILES))])
@pytest.mark.parametrize("name", ["config.json", "model.safetensors.index.json", "instance.json"])
def test_a_wrong_json_file_gets_one_sentence(tmp_path: Path, name: str, content: bytes, text: str) -> None:
    (tmp_path / "config.json").write_text('{"architectures": []}')
    (tmp_path / name).write_bytes(content)
    if name == "config.json" and b"NaN" in content:
        text = 'has no "architectures"'  # Transformers writes Infinity and NaN to some

    read = read_instance_file if name == "instance.json" else lambda path: read_model_folder(path.parent)
    with pytest.raises(WrongQuestion) as refused:
        read(tmp_path / name)

    assert name in str(refused.value)
    assert text in str(refused.value)
    assert "\n" not in str(refused.value)
