"""The `vllm-eks` command. Exit status: 0 it fits, 3 it does not fit, 2 the input is invalid."""

import gc
import os
import sys

import click

from vllm_eks.cli.lazy_group import LazyGroup
from vllm_eks.errors import WrongQuestion

WRONG_QUESTION = 2
OBJECTS_BETWEEN_COLLECTIONS = 100_000
"""A plan of all types creates fewer objects that stay."""
COMMANDS = {
    "bench": "Measure an endpoint, and correct its predictions.",
    "catalog": "Update instance types and prices.",
    "doctor": "Diagnose why a model does not serve.",
    "leftovers": "List what remains of a destroyed stack.",
    "lock": "Add a model from the Hugging Face Hub.",
    "pins": "Show pinned versions and updates.",
    "plan": "Plan a model: does it fit, and at what price?",
    "preview": "Preview a stack offline: can I run pulumi up?",
    "size": "Find machines for a load and a service level.",
}
"""The short help of each command. Each has a module with its name in this package."""


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100, "show_default": True},
    epilog="""\b
Exit status: 0 it fits, 3 it does not fit, 2 the command or a file is invalid.
Shell completion for bash (or zsh_source, fish_source):
  eval "$(_VLLM_EKS_COMPLETE=bash_source vllm-eks)"
""",
)
@click.version_option(package_name="vllm-eks", message="%(prog)s %(version)s")
def app() -> None:
    """Plan how a model is split over GPUs, and preview what `pulumi up` would create."""


app.add_lazy_commands("vllm_eks.cli", COMMANDS)


def process() -> None:
    """Run the command as a process of its own, the entry point of the package.

    Garbage is collected seldom, and not at the end: with Python's defaults, that is a tenth of the time of a plan.
    """
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    try:
        main()
    finally:
        gc.freeze()


def main() -> None:
    """Run the command. Invalid input becomes one line on standard error."""
    try:
        try:
            app(prog_name="vllm-eks")
        finally:
            sys.stdout.flush()
    except WrongQuestion as error:
        print(f"vllm-eks: {error}", file=sys.stderr)
        sys.exit(WRONG_QUESTION)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except OSError as error:
        # Standard output failed, such as on a full disk. The rest of its buffer would fail again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print(f"vllm-eks: {error.filename or 'standard output'}: {error.strerror or error}", file=sys.stderr)
        sys.exit(1)
