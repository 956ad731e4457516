"""A click group that imports a command's module only when the command is used."""

from collections.abc import Iterator, Mapping
from importlib import import_module

import click


class LazyCommand(click.Command):
    """The name and short help of a command. Its module has a click command called `command`."""

    def __init__(self, name: str, *, module: str, short_help: str) -> None:
        super().__init__(name, short_help=short_help)
        self.module = module

    def load(self) -> click.Command:
        """Import the module and return the command."""
        return import_module(self.module).command


class LazyGroup(click.Group):
    """A group of commands that are each in their own module, and imported when used."""

    def add_lazy_commands(self, package: str, short_helps: Mapping[str, str]) -> None:
        """Add commands, each with a short help. Each has a module with its name in the package."""
        for name, short_help in short_helps.items():
            self.add_command(LazyCommand(name, module=f"{package}.{name}", short_help=short_help))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the named command, imported, and the remaining arguments."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.load() if isinstance(command, LazyCommand) else command, rest


def all_commands(group: click.Group, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Import and yield all commands of a group and its subgroups, each with its names from the top."""
    for name, entry in sorted(group.commands.items()):
        command = entry.load() if isinstance(entry, LazyCommand) else entry
        yield (*above, name), command
        if isinstance(command, click.Group):
            yield from all_commands(command, (*above, name))
