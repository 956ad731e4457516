"""Any wrong file gets clear errors and no traceback: stack files, project files, kubeconfigs and model folders.

`test_wrong_stacks` has exact reports, `test_stack_file` the texts that are no YAML. Here are one wrong value for every
key and files of every bad kind, each with what its line must hold, and stack files that chance has garbled.
"""

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from config.checked_stack import check_stack
from tests.support.stack_config import model
from tests.support.wrong_files import ELSEWHERE, JSON_FILES, KUBECONFIGS, MODEL
from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.hardware.instances import read_instance_file
from vllm_eks.planner.models.known_models import read_model_folder
from vllm_eks.stack_files.read import read_stack_file

ROOT = Path(__file__).parents[3]
LONGEST_LINE = 1200
SHIPPED = [path.read_text() for path in sorted([*ROOT.glob("Pulumi.*.yaml"), *(ROOT / "examples").glob("*.yaml")])]


def good_config() -> dict[str, Any]:
    return {
        "aws:region": "us-west-2",
        "vllm-eks:network": {"zones": ["us-west-2a", "us-west-2b"]},
        "vllm-eks:cluster": {"publicAccessCidrs": ["203.0.113.7/32"]},
        "vllm-eks:models": {"qwen3": model()},
    }


def told(folder: Path, text: str | bytes) -> list[str]:
    """Return the lines about a stack file; none where it is accepted. Any other exception is a failure."""
    (folder / "Pulumi.test.yaml").write_bytes(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text)
    try:
        check_stack(read_stack_file(folder, "test").for_offline_preview())
        return []
    except WrongQuestion as refused:
        lines = str(refused).splitlines()
    assert [line for line in lines if len(line) > LONGEST_LINE or "Traceback" in line] == []
    return lines


def one_line(lines: list[str], *needed: str) -> None:
    """Assert that just one of the lines is about the fault."""
    found = [line for line in lines if all(text in line for text in needed)]
    assert len(found) == 1, (needed, lines)


@pytest.mark.parametrize(("key", "value", "text"), MODEL, ids=[f"{n}-{case[0][:24]}" for n, case in enumerate(MODEL)])
def test_a_wrong_value_of_a_model_gets_one_line(folder: Path, key: str, value: Any, text: str) -> None:
    config = good_config()
    config["vllm-eks:models"]["qwen3"][key] = value

    one_line(told(folder, yaml.safe_dump({"config": config})), "vllm-eks:models.qwen3", key[:20], text)


@pytest.mark.parametrize(("key", "value", "text"), ELSEWHERE, ids=[f"{n}-{c[0][:30]}" for n, c in enumerate(ELSEWHERE)])
def test_a_wrong_value_elsewhere_gets_one_line(folder: Path, key: str, value: Any, text: str) -> None:
    lines = told(folder, yaml.safe_dump({"config": {**good_config(), key: value}}))

    one_line(lines, key.partition(":")[2].split(".")[0], text)


def test_a_project_of_another_name_gets_a_line_for_each_key_and_no_other(folder: Path) -> None:
    text = yaml.safe_dump({"config": good_config()}).replace("vllm-eks:", "my-llm:")

    assert [line.partition(": ")[0] for line in told(folder, text)[1:]] == [
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

    lines = told(folder, yaml.safe_dump({"config": {**good_config(), **keys}}))

    assert len(lines) == 5
    assert "sk-" not in "".join(lines)


@pytest.mark.parametrize(("content", "text"), KUBECONFIGS, ids=[f"{n}" for n in range(len(KUBECONFIGS))])
def test_a_wrong_kubeconfig_gets_one_line(folder: Path, content: bytes, text: str) -> None:
    (folder / "kubeconfig").write_bytes(content)
    config = good_config()
    config["vllm-eks:cluster"]["kubeconfigPath"] = "kubeconfig"

    lines = told(folder, yaml.safe_dump({"config": config}))

    one_line(lines, "vllm-eks:cluster.kubeconfigPath: 'kubeconfig'", text)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("nowhere", "is not a file here"),
        (".", "is a folder"),
        ("/dev/zero", "is a device or a pipe"),
        ("pipe", "is a device or a pipe"),
        ("x\0", "is not the path of a file"),
        ("~nobody-here/config", "is not the path of a file"),
        ("x" * 300, "is not the path of a file"),
        (5, "5 is a number, not text"),
    ],
)
def test_a_kubeconfig_that_is_no_file_gets_one_line(folder: Path, path: Any, text: str) -> None:
    os.mkfifo(folder / "pipe")
    config = good_config()
    config["vllm-eks:cluster"]["kubeconfigPath"] = path

    one_line(told(folder, yaml.safe_dump({"config": config})), "vllm-eks:cluster.kubeconfigPath: ", text)


@pytest.mark.parametrize(("content", "text"), JSON_FILES, ids=[f"{n}" for n in range(len(JSON_FILES))])
@pytest.mark.parametrize("name", ["config.json", "model.safetensors.index.json", "instance.json"])
def test_a_wrong_json_file_gets_one_sentence(tmp_path: Path, name: str, content: bytes, text: str) -> None:
    (tmp_path / "config.json").write_text('{"architectures": []}')
    (tmp_path / name).write_bytes(content)

    read = read_instance_file if name == "instance.json" else lambda path: read_model_folder(path.parent)
    with pytest.raises(WrongQuestion) as refused:
        read(tmp_path / name)

    assert name in str(refused.value)
    assert text in str(refused.value)
    assert "\n" not in str(refused.value)


def make_folder(path: Path) -> None:
    path.mkdir()


def link_to_zeros(path: Path) -> None:
    path.symlink_to("/dev/zero")


def link_to_itself(path: Path) -> None:
    path.symlink_to(path)


def make_too_large(path: Path) -> None:
    path.touch()
    os.truncate(path, 65 * 1024 * 1024)


@pytest.mark.parametrize("make", [make_folder, link_to_zeros, link_to_itself, os.mkfifo, make_too_large])
@pytest.mark.parametrize("name", ["Pulumi.yaml", "Pulumi.test.yaml", "config.json", "instance.json"])
def test_what_is_no_file_of_text_gets_one_line(tmp_path: Path, name: str, make: Callable[[Path], None]) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: vllm-eks\nruntime: python\n")
    (tmp_path / name).unlink(missing_ok=True)
    make(tmp_path / name)
    readers: dict[str, Callable[[], object]] = {
        "config.json": lambda: read_model_folder(tmp_path),
        "instance.json": lambda: read_instance_file(tmp_path / name),
    }

    with pytest.raises(WrongQuestion, match=name) as refused:
        readers.get(name, lambda: read_stack_file(tmp_path, "test"))()

    assert len(str(refused.value).splitlines()) == 1
    assert "is not the path" not in str(refused.value)


@pytest.fixture(scope="module")
def garbled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose own stack files are good."""
    folder = tmp_path_factory.mktemp("garbled")
    shutil.copy(ROOT / "Pulumi.yaml", folder)
    assert [told(folder, text) for text in SHIPPED] == [[]] * len(SHIPPED)
    return folder


SHORT_OF_TEXT = "\t :-?&*!|>'\"\\[]{},#%@`<~0.x_ \n\r\x00\x85\ufeffé😀"
WORDS = [
    "- ",
    ": ",
    "? ",
    "&a ",
    "*a",
    "!!int ",
    "!x ",
    "<<: ",
    "012",
    "1e999",
    "2024-01-01",
    ".inf",
    "---\n",
    '"\\ud800"',
]


@st.composite
def garbled_stacks(draw: st.DrawFn) -> str:
    """Draw a shipped stack file with a few pieces put in, cut out or said twice."""
    chance = random.Random(draw(st.integers(0, 2**32)))
    text = chance.choice(SHIPPED)
    for _ in range(chance.randint(1, 4)):
        at, length = chance.randint(0, len(text)), chance.randint(1, 30)
        piece = chance.choice([*WORDS, *SHORT_OF_TEXT, text[at : at + length]])
        text = text[:at] + piece + text[at + chance.choice([0, 0, length]) :]
    return text


@settings(max_examples=25)
@given(text=garbled_stacks())
def test_a_garbled_stack_file_never_ends_in_a_traceback(garbled: Path, text: str) -> None:
    told(garbled, text)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=8), below, max_size=3),
    max_leaves=6,
)
PLACES = [
    (name, key)
    for name, section in yaml.safe_load(SHIPPED[0])["config"].items()
    for key in (section if isinstance(section, dict) else [None])
]


@settings(max_examples=25)
@given(
    place=st.sampled_from([*PLACES, ("vllm-eks:tags", None), ("aws:defaultTags", None)]),
    value=VALUES,
    stray=st.text(max_size=8),
)
def test_any_value_in_any_place_never_ends_in_a_traceback(
    garbled: Path, place: tuple[str, Any], value: object, stray: str
) -> None:
    config = good_config()
    section, key = place
    if key is None or not isinstance(config.get(section), dict):
        config[section] = value
    else:
        config[section] = {**config[section], key: value, stray: value}
    told(garbled, yaml.safe_dump({"config": config}))
