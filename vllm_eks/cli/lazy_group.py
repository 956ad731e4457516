"""A group that lists its commands without importing them: a command's modules are loaded when it is used."""

from collections.abc import Iterator, Mapping
from importlib import import_module

import click


class LazyCommand(click.Command):
    """The name and short help of a command whose module has a click command called `command`."""

    def __init__(self, name: str, *, module: str, short_help: str) -> None:
        super().__init__(name, short_help=short_help)
        self.module = module

    def load(self) -> click.Command:
        """Import the command's module and return the command."""
        return import_module(self.module).command


class LazyGroup(click.Group):
    """A group of commands, each in a module of its own, that are imported one by one as they are used."""

    def add_lazy_commands(self, package: str, short_helps: Mapping[str, str]) -> None:
        """List commands: each has a module of its name in the package, and a short help for the list."""
        for name, short_help in short_helps.items():
            self.add_command(LazyCommand(name, module=f"{package}.{name}", short_help=short_help))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is named, imported, and what remains of the arguments."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.load() if isinstance(command, LazyCommand) else command, rest


def every_command(group: click.Group, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Import and yield all commands of a group, and of the groups in it, each with its names from the top down."""
    for name, entry in sorted(group.commands.items()):
        command = entry.load() if isinstance(entry, LazyCommand) else entry
        yield (*above, name), command
        if isinstance(command, click.Group):
            yield from every_command(command, (*above, name))
