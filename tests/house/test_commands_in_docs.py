"""Commands in the documentation: the command and its options exist, and the planner's examples run."""

import re
import shlex
from pathlib import Path

import pytest

from tools.size_examples import EXAMPLE
from vllm_eks.cli.main import main

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "contributing").rglob("*.md")])
TEXT = {str(page.relative_to(ROOT)): page.read_text() for page in PAGES}
BLOCKS = {
    name: [
        code
        for language, code in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        if language in ("", "sh")
    ]
    for name, text in TEXT.items()
}
LINES = [(name, line.strip()) for name, blocks in BLOCKS.items() for block in blocks for line in block.splitlines()]
COMMANDS = sorted(
    {line.split("#")[0].strip() for _, line in LINES if re.match(r"vllm-eks [a-z]", line) and "[OPTIONS]" not in line}
)
INLINE = sorted({code for text in TEXT.values() for code in re.findall(r"`(vllm-eks [a-z][^`]*)`", text)})
SIZES = [command for command in COMMANDS if command.startswith("vllm-eks size ")]
README_PLANS = re.findall(r"^(vllm-eks plan .*)$", TEXT["README.md"], re.MULTILINE)
MAKE_TARGETS = sorted({target for text in TEXT.values() for target in re.findall(r"[`\n]make ([a-z][a-z0-9-]*)", text)})


def arguments_of(command: str) -> list[str]:
    """Return the arguments: `[--option VALUE]` in a synopsis is an option, and `<name>` is a value."""
    return shlex.split(re.sub(r"<[^>]*>", "x", command.replace("[", "").replace("]", "")))[1:]


def run(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr("sys.argv", ["vllm-eks", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.mark.parametrize("command", [*COMMANDS, *INLINE])
def test_a_command_and_its_options_exist(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*arguments_of(command), "--help"], monkeypatch) == 0, capsys.readouterr().err


@pytest.mark.parametrize("command", README_PLANS)
def test_a_plan_of_the_readme_runs(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refused = "--pipeline-parallel-size 1" in command
    status = run(arguments_of(command), monkeypatch)
    shown = capsys.readouterr()
    assert status == (3 if refused else 0), shown.err
    assert shown.err if refused else shown.out


def test_the_how_to_of_sizes_has_three_examples_whose_outputs_are_generated() -> None:
    """`tests/house/test_generated.py` compares the outputs."""
    shown = EXAMPLE.findall(TEXT["docs/how-to/size.md"])

    assert len(SIZES) == len(shown) == 6
    assert all(output.startswith("recommended: ") for _, _, output, _ in shown)


def test_the_readme_has_the_set_up_the_main_job_the_tests_and_the_planner_in_this_order() -> None:
    lines = [line for page, line in LINES if page == "README.md"]
    assert lines[:4] == ["make setup", ". .venv/bin/activate", "vllm-eks preview", "make test"]
    assert len(README_PLANS) == 4


@pytest.mark.parametrize("target", MAKE_TARGETS)
def test_a_make_target_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_every_example_that_is_copied_exists() -> None:
    copied = {path for _, line in LINES for path in re.findall(r"cp (examples/\S+)", line)}
    named = {path for text in TEXT.values() for path in re.findall(r"`(examples/[\w.-]+)`", text)}
    assert len(copied) >= 3
    assert {path for path in copied | named if not (ROOT / path).is_file()} == set()


def test_every_test_path_that_is_named_exists() -> None:
    named = {path for text in TEXT.values() for path in re.findall(r"[`\s](tests/[\w./-]*[\w/])[`\s]", text)}
    assert len(named) > 10
    assert {path for path in named if not (ROOT / path.split("/<")[0]).exists()} == set()


@pytest.mark.parametrize("file", [".ci/run", ".github/workflows/ci.yml"])
def test_ci_calls_the_readme_s_test_command(file: str) -> None:
    text = (ROOT / file).read_text()
    assert "make test\n" in text
    assert "make check\n" in text


def test_the_public_workflow_tests_every_python_that_the_package_names() -> None:
    workflow, project = ((ROOT / name).read_text() for name in (".github/workflows/ci.yml", "pyproject.toml"))
    versions = re.findall(r'"(3\.\d+)"', workflow)
    assert versions == ["3.11", "3.12", "3.13"]
    assert 'requires-python = ">=3.11"' in project
    assert all(re.search(r"@v\d+$", action) for action in re.findall(r"uses: (\S+)", workflow))


def test_hooks_need_no_host_but_this_one() -> None:
    config = (ROOT / ".pre-commit-config.yaml").read_text()
    assert re.findall(r"repo: (\S+)", config) == ["local"]
    assert set(re.findall(r"entry: (\S+)", config)) == {
        f".venv/bin/{tool}" for tool in ("ruff", "pyright", "codespell", "pytest")
    }
