"""The command line itself: help that is whole at 80 columns, guesses, version, completion."""

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner, Result

from vllm_eks.cli.main import app


def run(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(app, arguments, prog_name="vllm-eks", env=environment, terminal_width=80)


def commands(group: click.Group = app, names: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in group.commands.items():
        yield (*names, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*names, name))


EVERY_COMMAND = dict(commands())


@pytest.mark.parametrize("names", EVERY_COMMAND, ids=" ".join)
def test_help_names_every_option_in_full_with_words_for_each(names: tuple[str, ...]) -> None:
    found = run(*names, "-h")
    assert found.exit_code == 0
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


def test_a_command_that_is_misspelt_gets_one_guess() -> None:
    found = run("pla")
    assert found.exit_code == 2
    assert found.output.count("Did you mean 'plan'?") == 1


def test_the_version_is_the_package_s() -> None:
    assert run("--version").output == "vllm-eks 0.1.0\n"


def test_the_shell_completes_commands() -> None:
    found = run(_VLLM_EKS_COMPLETE="bash_complete", COMP_WORDS="vllm-eks pre", COMP_CWORD="1")
    assert found.output == "plain,preview\n"
