"""Reading a stack file without the Pulumi CLI."""

from pathlib import Path

import pytest

from config.stack_file import StackFileError, read_stack_file

PROJECT = """\
name: vllm-eks
runtime: python
config:
  tags:
    default: {team: serving}
  charts:
    value: {}
  aws:region:
    value: eu-west-1
  network:
    description: no default
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "Pulumi.yaml").write_text(PROJECT)
    return tmp_path


def read(folder: Path, text: str) -> dict[str, str]:
    (folder / "Pulumi.dev.yaml").write_text(text)
    return read_stack_file(folder, "dev").config


def fault(folder: Path, stack: str = "dev") -> str:
    with pytest.raises(StackFileError) as refused:
        read_stack_file(folder, stack)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_values_are_written_as_the_pulumi_cli_hands_them_over(folder: Path) -> None:
    # The right side was read from `pulumi config --json` of 3.250 for the same file.
    text = """\
config:
  network: {y: yes, off: off, t: true, f: 1.30, g: 1e3, o: 010, p: 0o17, h: 0x1F, s: 12:30:00, u: 1_000, n: ~, e: ""}
  vllm-eks:models: {d: 2026-07-14, 8: x, true: y, list: [1, {b: 2, a: é}]}
  vllm-eks:cluster:
  vllm-eks:apiKey: 123
"""

    assert read(folder, text) == {
        "vllm-eks:network": '{"e":"","f":1.3,"g":1000,"h":31,"n":null,"o":8,"off":"off","p":15,"s":"12:30:00",'
        '"t":true,"u":1000,"y":"yes"}',
        "vllm-eks:models": '{"8":"x","d":"2026-07-14 00:00:00 +0000 UTC","list":[1,{"a":"é","b":2}],"true":"y"}',
        "vllm-eks:cluster": "",
        "vllm-eks:apiKey": "123",
        "vllm-eks:tags": '{"team":"serving"}',
        "vllm-eks:charts": "{}",
        "aws:region": "eu-west-1",
    }


def test_the_stack_wins_over_the_project(folder: Path) -> None:
    assert read(folder, "config:\n  aws:region: us-west-2\n")["aws:region"] == "us-west-2"


def test_a_missing_stack_file_is_told_with_the_stacks_there_are(folder: Path) -> None:
    assert fault(folder) == f"there is no Pulumi.dev.yaml in {folder}: no stack has a file here yet"
    for stack in ("prod", "staging"):
        (folder / f"Pulumi.{stack}.yaml").touch()
    assert fault(folder) == f"there is no Pulumi.dev.yaml in {folder}: the stacks here are prod, staging"


def test_a_folder_without_a_project_is_told(tmp_path: Path) -> None:
    assert fault(tmp_path) == f"{tmp_path}/Pulumi.yaml: No such file or directory: run this in the project's folder"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("config:\n  a: [1\n  b: 2\n", "Pulumi.dev.yaml, line 3: not YAML: expected ',' or ']', but got ':'"),
        ("config:\n\ta: 1\n", "Pulumi.dev.yaml, line 2: not YAML: found character '\\t' that cannot start any token"),
        ("config:\n  a: *x\n", "Pulumi.dev.yaml, line 2: not YAML: found undefined alias 'x'"),
        ("config:\n  a: 1\n  b: 2\n  a: 3\n", "Pulumi.dev.yaml, line 4: the key a stands there twice: remove one"),
        ("config:\n  ? [a]\n  : 1\n", "Pulumi.dev.yaml, line 2: not YAML: found unhashable key"),
        ("config:\n  a: \x01\n", "Pulumi.dev.yaml is not YAML: unacceptable character #x0001: special characters "),
        ("- a\n", "Pulumi.dev.yaml has no settings: write them below config:"),
        ("config:\n", "Pulumi.dev.yaml has no settings: write them below config:"),
        ("config: text\n", "Pulumi.dev.yaml has no settings: write them below config:"),
        ("encryptionsalt: v1:x\n", "Pulumi.dev.yaml has no settings: write them below config:"),
        ("", "Pulumi.dev.yaml has no settings: write them below config:"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_in_one_line(folder: Path, text: str, told: str) -> None:
    (folder / "Pulumi.dev.yaml").write_text(text)

    assert fault(folder).startswith(told)


def test_a_project_without_a_name_is_told(folder: Path) -> None:
    (folder / "Pulumi.yaml").write_text("runtime: python\n")

    assert fault(folder).endswith("Pulumi.yaml has no name: give the project one, such as vllm-eks")
