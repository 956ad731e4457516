"""`vllm-eks preview`: shows what `pulumi up` would create, from the real program, without account, cluster or
network."""

import gc
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vllm_eks.cli.options import as_json, exit_with, stack_folder
from vllm_eks.cli.views.screen import console
from vllm_eks.errors import WrongQuestion
from vllm_eks.program import check_stack_file
from vllm_eks.stack_files.read import StackFileError, read_stack_file

if TYPE_CHECKING:
    from vllm_eks.preview.recording import Recording
    from vllm_eks.stack_files.stack_file import StackFile

FITS, WRONG_QUESTION, REFUSED = 0, 2, 3


@dataclass(frozen=True, kw_only=True)
class PreviewOptions:
    """What the preview prints."""

    resources: bool = False
    """All resources, as a tree."""
    values: bool = False
    """The Helm values of all releases."""
    as_json: bool = False
    """One JSON object instead of text."""


SHORT_PREVIEW = PreviewOptions()


@click.command(
    "preview",
    epilog="""\b
Examples:
  vllm-eks preview
  vllm-eks preview --stack prod --resources
The first line answers: can I run pulumi up? Exit status:
  0  no check failed; there may be warnings, and checks that need your
     account
  3  a check failed, such as a model that does not fit
  2  the stack file is invalid
""",
)
@click.option("--stack", metavar="STACK", default="dev", help="The stack. Its Pulumi.<stack>.yaml is read.")
@stack_folder
@click.option("--resources", is_flag=True, help="Also list all resources.")
@click.option("--values", is_flag=True, help="Also print the Helm values.")
@as_json
def command(stack: str, folder: Path, resources: bool, values: bool, as_json: bool) -> None:
    """Show what `pulumi up` would create, without an AWS account, a cluster or the Pulumi CLI."""
    # Pulumi's SDK keeps its objects until the end, and collecting garbage takes a fifth of the time.
    gc.disable()
    exit_with(run_preview(folder, stack, PreviewOptions(resources=resources, values=values, as_json=as_json)))


def run_preview(folder: Path, stack: str, wanted: PreviewOptions = SHORT_PREVIEW) -> int:
    """Print the preview of a stack. Return 0, 2 for an invalid stack file, or 3 if a check failed."""
    try:
        file = read_stack_file(folder, stack).for_offline_preview()
        # Before the program is loaded, which takes seconds, because this finds most errors.
        check_stack_file(folder, file)
        recording = recorded_program(folder, file)
    except (StackFileError, WrongQuestion) as error:
        print(error, file=sys.stderr)
        return WRONG_QUESTION
    if wanted.as_json:
        from vllm_eks.cli.views.preview_json import preview_json

        print(json.dumps(preview_json(recording, stack), indent=2))
    else:
        from vllm_eks.cli.views.preview import show

        show(recording, stack, console(), wanted)
    if recording.refusal:
        print(recording.refusal, file=sys.stderr)
        return REFUSED
    return FITS


def recorded_program(folder: Path, file: "StackFile") -> "Recording":
    """Run the program, with a progress line on a terminal.

    Raises:
        WrongQuestion: There is no program, or it raised an error.
    """
    if sys.stderr.isatty():
        with console(sys.stderr).status("loading Pulumi and running the program ..."):
            return _run(folder, file)
    return _run(folder, file)


def _run(folder: Path, file: "StackFile") -> "Recording":
    if not (folder / "__main__.py").is_file():
        where = f"there is no __main__.py in {folder.resolve()}"
        raise WrongQuestion(f"{where}: the preview runs the program, so set --folder to its folder")
    try:
        # Imported here, because Pulumi's SDK takes seconds to load, and errors of the stack file are reported before
        # that.
        import pulumi

        from vllm_eks.preview.recording import run_program
    except ModuleNotFoundError as error:
        raise _without_the_sdk(error) from None
    try:
        return run_program(folder, file)
    except pulumi.RunError as error:
        raise WrongQuestion(str(error)) from None
    except ModuleNotFoundError as error:
        raise _without_the_sdk(error) from None


def _without_the_sdk(error: ModuleNotFoundError) -> WrongQuestion:
    """Return advice for a missing part of Pulumi's SDK.

    Raises:
        ModuleNotFoundError: Another module is missing, which is an error of the program.
    """
    package = (error.name or "").partition(".")[0]
    if package != "pulumi" and not package.startswith("pulumi_"):
        raise error
    return WrongQuestion(
        f"the preview runs the program with Pulumi's SDK, and {package} is not installed: use the vllm-eks of the "
        f"program's own .venv (make setup), or install 'vllm-eks[program]'"
    )
