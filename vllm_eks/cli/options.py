"""Options that several commands share, and the end of a command."""

from pathlib import Path

import click

from vllm_eks.aws.regions import known_region
from vllm_eks.errors import WrongQuestion

PATH = click.Path(path_type=Path)

stack_folder = click.option(
    "--folder",
    type=PATH,
    default=Path(),
    show_default=False,
    help="The folder of Pulumi.yaml. Default: the current folder.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")


def exit_with(status: int) -> None:
    """End the command with an exit status."""
    click.get_current_context().exit(status)


def known_region_option(name: str) -> str:
    """Return the region of --region.

    Raises:
        WrongQuestion: There is no such region.
    """
    try:
        return known_region(name)
    except ValueError as error:
        raise WrongQuestion(f"--region: {error}") from None
