"""The command line: help at 80 columns, suggestions, version, completion."""

import ast
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner, Result

from vllm_eks.cli.lazy_group import all_commands
from vllm_eks.cli.main import COMMANDS, app


def run(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(app, arguments, prog_name="vllm-eks", env=environment, terminal_width=80)


EVERY_COMMAND = dict(all_commands(app))


@pytest.mark.parametrize("names", EVERY_COMMAND, ids=" ".join)
def test_help_describes_every_option(names: tuple[str, ...]) -> None:
    found = run(*names, "-h")
    assert found.exit_code == 0, found.output
    assert found.output == run(*names, "--help").output
    assert max(map(len, found.output.splitlines())) <= 80
    for parameter in EVERY_COMMAND[names].params:
        name = parameter.opts[-1] if isinstance(parameter, click.Option) else str(parameter.name).upper()
        assert name in found.output.replace("\n", " ")
        assert getattr(parameter, "help", None), f"{names}: {name} has no words"
        assert " ".join(parameter.help.split()[:3]) in " ".join(found.output.split())  # type: ignore[union-attr]


def test_the_list_of_commands_is_not_cut() -> None:
    assert "..." not in run("-h").output.replace("[ARGS]...", "")
    assert {names[0] for names in EVERY_COMMAND} <= set(run("-h").output.split())


def test_a_misspelled_command_gets_a_suggestion() -> None:
    found = run("pla")
    assert found.exit_code == 2
    assert found.output.count("Did you mean 'plan'?") == 1


def test_the_version_is_the_package_s() -> None:
    assert run("--version").output == "vllm-eks 0.1.0\n"


def test_the_shell_completes_commands() -> None:
    found = run(_VLLM_EKS_COMPLETE="bash_complete", COMP_WORDS="vllm-eks pre", COMP_CWORD="1")
    assert found.output == "plain,preview\n"


def test_the_list_and_a_guess_import_no_command() -> None:
    program = (
        "import sys\nfrom click.testing import CliRunner\nfrom vllm_eks.cli.main import app\n"
        "for line in (['-h'], ['pla'], ['--version']):\n    CliRunner().invoke(app, line)\n"
        "print(sorted(name for name in sys.modules if name.startswith('vllm_eks.')))"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ast.literal_eval(found.stdout) == [
        "vllm_eks.cli",
        "vllm_eks.cli.lazy_group",
        "vllm_eks.cli.main",
        "vllm_eks.errors",
    ]


def test_each_command_is_a_module_of_its_name() -> None:
    assert {names[0] for names in EVERY_COMMAND} == set(COMMANDS)
    for names, command in EVERY_COMMAND.items():
        assert command.name == names[-1]
