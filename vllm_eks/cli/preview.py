"""`vllm-eks preview`: what `pulumi up` would build, from the real program, without account, cluster or network."""

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
class Wanted:
    """What of the preview is printed."""

    resources: bool = False
    """Every resource, as a tree."""
    values: bool = False
    """The Helm values of every release."""
    as_json: bool = False
    """One JSON object in place of everything else."""


EVERYTHING_SHORT = Wanted()


@click.command(
    "preview",
    epilog="""\b
Examples:
  vllm-eks preview
  vllm-eks preview --stack prod --resources
The first line answers: may I run pulumi up? Exit status:
  0  the stack fits, and no check refuses it; warnings, and questions that
     only your account can answer, do not change that
  3  a check refuses it, such as a model that does not fit
  2  the stack file is wrong
""",
)
@click.option("--stack", metavar="STACK", default="dev", help="The stack whose Pulumi.<stack>.yaml is shown.")
@stack_folder
@click.option("--resources", is_flag=True, help="List every resource as well.")
@click.option("--values", is_flag=True, help="Print the Helm values as well.")
@as_json
def command(stack: str, folder: Path, resources: bool, values: bool, as_json: bool) -> None:
    """Show what `pulumi up` would build, without an AWS account, a cluster or the Pulumi CLI."""
    # What Pulumi's SDK loads is in use to the end: to look through it for garbage is a fifth of the time.
    gc.disable()
    exit_with(run_preview(folder, stack, Wanted(resources=resources, values=values, as_json=as_json)))


def run_preview(folder: Path, stack: str, wanted: Wanted = EVERYTHING_SHORT) -> int:
    """Print the preview of a stack; return 0, 2 for a wrong stack file, or 3 where a check refuses the stack."""
    try:
        file = read_stack_file(folder, stack).for_offline_preview()
        # Before the program is loaded, which takes seconds: most errors are found here.
        check_stack_file(folder, file)
        recording = _recorded(folder, file)
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


def _recorded(folder: Path, file: "StackFile") -> "Recording":
    """Run the program; on a terminal a line says so meanwhile.

    Raises:
        WrongQuestion: There is no program, or it ended with an error of its own.
    """
    if sys.stderr.isatty():
        with console(sys.stderr).status("loading Pulumi and running the program ..."):
            return _run(folder, file)
    return _run(folder, file)


def _run(folder: Path, file: "StackFile") -> "Recording":
    if not (folder / "__main__.py").is_file():
        where = f"there is no __main__.py in {folder.resolve()}"
        raise WrongQuestion(f"{where}: the preview runs the program; give its folder with --folder")
    try:
        # Imported here: Pulumi's SDK takes seconds to load, and a wrong stack file is told at once.
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
    """Return what to do where a part of Pulumi's SDK is not installed.

    Raises:
        ModuleNotFoundError: It is another module that is missing: an error of the program.
    """
    package = (error.name or "").partition(".")[0]
    if package != "pulumi" and not package.startswith("pulumi_"):
        raise error
    return WrongQuestion(
        f"the preview runs the program with Pulumi's SDK, and {package} is not installed here: run the vllm-eks of the "
        "program's own .venv (make setup), or install 'vllm-eks[program]'"
    )
