"""Reading a stack file without the Pulumi CLI."""

import json
from pathlib import Path

import pytest

from tests.support.files import rewrite
from vllm_eks.stack_files.read import StackFileError, read_stack_file

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


def error_of(folder: Path, stack: str = "dev") -> str:
    with pytest.raises(StackFileError) as refused:
        read_stack_file(folder, stack)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_values_are_the_same_as_from_the_pulumi_cli(folder: Path) -> None:
    # The right side is the output of `pulumi config --json` 3.250 for the same file.
    text = """\
config:
  network: {y: yes, off: off, t: true, f: 1.30, g: 1e3, p: 0o17, h: 0x1F, s: 12:30:00, u: 1_000, n: ~, e: ""}
  vllm-eks:models: {8: x, true: y, list: [1, {b: 2, a: é}]}
  vllm-eks:cluster:
  vllm-eks:apiKey: 123
"""

    assert read(folder, text) == {
        "vllm-eks:network": '{"e":"","f":1.3,"g":1000,"h":31,"n":null,"off":"off","p":15,"s":"12:30:00",'
        '"t":true,"u":1000,"y":"yes"}',
        "vllm-eks:models": '{"8":"x","list":[1,{"a":"é","b":2}],"true":"y"}',
        "vllm-eks:cluster": "",
        "vllm-eks:apiKey": "123",
        "vllm-eks:tags": '{"team":"serving"}',
        "vllm-eks:charts": "{}",
        "aws:region": "eu-west-1",
    }


def test_the_stack_overrides_the_project(folder: Path) -> None:
    assert read(folder, "config:\n  aws:region: us-west-2\n")["aws:region"] == "us-west-2"


def test_a_missing_stack_file_is_reported_with_the_existing_stacks(folder: Path) -> None:
    assert error_of(folder) == f"there is no Pulumi.dev.yaml in {folder}: there are no stack files here yet"
    for stack in ("prod", "staging"):
        (folder / f"Pulumi.{stack}.yaml").touch()
    assert error_of(folder) == f"there is no Pulumi.dev.yaml in {folder}: the stacks here are prod, staging"


def test_a_folder_without_a_project_is_reported(tmp_path: Path) -> None:
    assert error_of(tmp_path) == (
        f"there is no Pulumi.yaml in {tmp_path}: run this in the folder of the vllm-eks program, or set --folder"
    )


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        ("config:\n  a: [1\n  b: 2\n", "Pulumi.dev.yaml, line 3: not YAML: expected ',' or ']', but got ':'"),
        ("config:\n\ta: 1\n", "Pulumi.dev.yaml, line 2: the indentation has a tab: use spaces"),
        ("config:\n  a:\t1\n", "Pulumi.dev.yaml, line 2: a tab is not allowed here: use spaces"),
        ("config:\n  a: *x\n", "Pulumi.dev.yaml, line 2: *x refers to an anchor that is not defined above it"),
        ("config:\n  a: &x [*x]\n", "Pulumi.dev.yaml, line 2: the anchor &x contains itself"),
        (
            "config:\n  a: 1\n  b: 2\n  a: 3\n",
            "Pulumi.dev.yaml, line 4: the key a is listed twice (line 2): remove one",
        ),
        (
            "config:\n  a: 1\n  vllm-eks:a: 2\n",
            "Pulumi.dev.yaml: a and vllm-eks:a are the same key: remove one",
        ),
        ("config:\n  ? [a]\n  : 1\n", "Pulumi.dev.yaml, line 2: a key cannot be a list or a map: use text"),
        ("config:\n  a: \x01\n", "Pulumi.dev.yaml, line 2: the control character U+0001 is not allowed: remove it"),
        (
            "config:\n  tags: {account: 012345670123}\n",
            "Pulumi.dev.yaml, line 2: tags.account: 012345670123 has a leading zero, and Pulumi reads it as the octal "
            "number 1402433619: put it in quotes if it is text, or write it as a plain number",
        ),
        (
            "config:\n  tags: {since: 2024-01-01}\n",
            "Pulumi.dev.yaml, line 2: tags.since: 2024-01-01 is a date in YAML, and Pulumi reformats dates: put it in "
            "quotes",
        ),
        (
            "a: 1\n---\nb: 2\n",
            "Pulumi.dev.yaml, line 2: a second document starts here, which Pulumi does not read: remove it",
        ),
        ("config: " + "[" * 60 + "]" * 60, "Pulumi.dev.yaml, line 1: nested more than 50 levels deep"),
        ("config: " + "[" * 2000, "Pulumi.dev.yaml, line 1: nested more than 50 levels deep"),
        ("- a\n", 'Pulumi.dev.yaml: ["a"] is a list, not keys and values: put settings below config:'),
        ("config:\n", "Pulumi.dev.yaml has no settings: put them below config:"),
        (
            "config: text\n",
            "Pulumi.dev.yaml has no settings: config: 'text' is text, not a section: put keys and values below it",
        ),
        (
            "environment: [dev]\n",
            "Pulumi.dev.yaml gets its settings from Pulumi ESC (dev), which an offline preview cannot read: put them "
            "below config:, or run pulumi preview",
        ),
        ("encryptionsalt: v1:x\n", "Pulumi.dev.yaml has no settings: put them below config:"),
        ("", "Pulumi.dev.yaml has no settings: put them below config:"),
    ],
)
def test_a_file_that_cannot_be_read_is_reported_in_one_line(folder: Path, text: str, reported: str) -> None:
    (folder / "Pulumi.dev.yaml").write_text(text)

    assert error_of(folder) == reported


def test_a_project_without_a_name_is_reported(folder: Path) -> None:
    (folder / "Pulumi.yaml").write_text("runtime: python\n")

    assert error_of(folder).endswith("Pulumi.yaml has no name: set one, such as vllm-eks")


READINGS = json.loads((Path(__file__).parents[2] / "data" / "pulumi_yaml" / "readings.json").read_text())["readings"]


def decoded(config: dict[str, str]) -> dict[str, object]:
    """Return the values as the program decodes them. Go and Python escape the same JSON differently."""
    found = {}
    for key, text in config.items():
        try:
            found[key] = json.loads(text)
        except ValueError:
            found[key] = text
    return found


def test_a_file_is_read_as_pulumi_reads_it_or_refused(tmp_path: Path) -> None:
    # Values that Pulumi refuses are refused, and others are read the same, except those with a surprising meaning.
    (tmp_path / "Pulumi.yaml").write_text("name: vllm-eks\nruntime: python\n")
    refused, reported = [], []
    for reading in READINGS:
        try:
            rewrite(tmp_path / "Pulumi.dev.yaml", reading["text"])
            config = decoded(read_stack_file(tmp_path, "dev").config)
        except StackFileError as error:
            reported.append(str(error))
            refused += [reading["name"]] if reading.get("config") else []
            continue
        assert config == decoded(reading.get("config", {})), reading["name"]

    assert len(READINGS) > 390
    assert all(text.startswith("Pulumi.dev.yaml") and len(text) < 300 for text in reported)
    assert refused == [reading["name"] for reading in READINGS if reading.get("refused_here") and reading["config"]]


def test_all_errors_of_a_text_are_reported_with_their_lines(folder: Path) -> None:
    (folder / "Pulumi.dev.yaml").write_text("config:\n  tags: {a: 012, b: 2024-01-01}\n  models: {c: .inf}\n")

    with pytest.raises(StackFileError) as refused:
        read_stack_file(folder, "dev")

    assert [line.split(" ")[:4] for line in str(refused.value).splitlines()] == [
        ["Pulumi.dev.yaml", "has", "3", "errors:"],
        ["", "", "line", "2:"],
        ["", "", "line", "2:"],
        ["", "", "line", "3:"],
    ]


@pytest.mark.parametrize("name", ["acme/vllm-eks/dev", "acme/dev", "dev"])
def test_a_stack_may_be_named_as_pulumi_lists_it(folder: Path, name: str) -> None:
    (folder / "Pulumi.dev.yaml").write_text("config:\n  a: 1\n")

    assert read_stack_file(folder, name).stack == "dev"


@pytest.mark.parametrize(
    ("name", "reported"),
    [
        ("x" * 300, f"--stack '{'x' * 60}... (300 characters)' is not a valid stack name"),
        ("a/b/c/d", "--stack 'a/b/c/d' is not a valid stack name"),
        ("dev\0", "--stack 'dev\\x00' is not a valid stack name"),
        ("", "--stack '' is not a valid stack name"),
    ],
)
def test_an_invalid_stack_name_is_reported(folder: Path, name: str, reported: str) -> None:
    assert error_of(folder, name) == f"{reported}: use letters, digits, -, _ and ., at most 100"


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        ("", "is empty: it needs name: (such as vllm-eks) and runtime:, as in this repository's Pulumi.yaml"),
        ("name: 42\n", "name: 42 is a number, not text: put it in quotes, or use a name such as vllm-eks"),
        ("name: a b\n", "name: 'a b' is not a valid project name: use letters, digits, -, _ and ., at most 100"),
        ("name: a\n", "has no runtime, which Pulumi requires: it needs name: (such as vllm-eks) and runtime:"),
    ],
)
def test_an_incomplete_project_file_is_reported(folder: Path, text: str, reported: str) -> None:
    (folder / "Pulumi.yaml").write_text(text)

    assert reported in error_of(folder)
