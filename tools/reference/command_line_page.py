"""`docs/reference/command-line.md`: all commands, from click's definitions."""

import re
from collections.abc import Iterator, Sequence

import click

from tools.reference.markdown import page, table
from vllm_eks.cli.lazy_group import all_commands
from vllm_eks.cli.main import app

PROGRAM = "vllm-eks"


def command_line_page() -> str:
    """Return the page."""
    commands = [((), app), *all_commands(app)]
    sections = (part for names, command in commands for part in _section(command, (PROGRAM, *names)))
    return page("command-line.md", {"commands": "\n\n".join(sections)})


def _section(command: click.Command, path: Sequence[str]) -> Iterator[str]:
    """Yield the text of one command."""
    name = " ".join(path)
    # click caches a command's help option, so it must be the one from the group.
    context = click.Context(command, info_name=name, help_option_names=app.context_settings["help_option_names"])
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    yield f"## {name}"
    yield from (_one_paragraph(paragraph) for paragraph in (command.help or "").split("\n\n"))
    yield f"```\n{usage}\n```"
    if rows := [_row(parameter, context) for parameter in command.get_params(context) if not _is_help(parameter)]:
        yield table(("argument or option", "default", "meaning"), rows)
    if command.epilog:
        yield f"```text\n{command.epilog.replace(chr(8), '').strip()}\n```"


def _row(parameter: click.Parameter, context: click.Context) -> tuple[str, str, str]:
    text = _one_paragraph(getattr(parameter, "help", None) or "")
    if isinstance(parameter, click.Argument):
        return f"`{parameter.make_metavar(context)}`", "required", text
    text, _, explained = text.partition(" Default: ")
    takes_value = not getattr(parameter, "is_flag", False)
    metavar = f" {parameter.metavar or parameter.type.name.upper()}" if takes_value else ""
    return f"`{parameter.opts[0]}{metavar}`", _default(parameter, explained), f"{text}{_range(parameter.type)}"


def _default(option: click.Parameter, explained: str) -> str:
    """Return an option's default: as in its help, or else its value."""
    value = option.to_info_dict()["default"]
    if option.required:
        return "required"
    if explained:
        return explained.removesuffix(".")
    if getattr(option, "is_flag", False):
        return "off"
    if value is None:
        return "not set"
    values = value if isinstance(value, (list, tuple)) else [value]
    return ", ".join(f"`{one}`" for one in values)


def _range(kind: click.ParamType) -> str:
    if not isinstance(kind, click.IntRange):
        return ""
    most = f" to {kind.max:,}" if kind.max is not None else " or more"
    return f" A whole number, {kind.min}{most}."


def _is_help(parameter: click.Parameter) -> bool:
    return "--help" in parameter.opts


def _one_paragraph(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
