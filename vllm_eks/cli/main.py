"""The `vllm-eks` command. Exit status: 0 it fits, 3 it does not, 2 the question itself is wrong."""

import os
import sys

import click

from vllm_eks.cli.lazy_group import LazyGroup
from vllm_eks.errors import WrongQuestion

WRONG_QUESTION = 2
COMMANDS = {
    "catalog": "Bring instance types and prices up to date.",
    "doctor": "Why does a model not serve?",
    "leftovers": "What does AWS still hold of a stack?",
    "lock": "Add a model from the Hugging Face Hub.",
    "pins": "Which versions are pinned, and which does AWS offer?",
    "plan": "Does a model fit, on what, at what price?",
    "preview": "What would pulumi up build? May I run it?",
}
"""What the list of commands says of each; each has a module of its name in this package."""


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100, "show_default": True},
    epilog="""\b
Exit status: 0 it fits, 3 it does not, 2 the command or a file is wrong.
Completion of commands and options, for bash (zsh_source, fish_source):
  eval "$(_VLLM_EKS_COMPLETE=bash_source vllm-eks)"
""",
)
@click.version_option(package_name="vllm-eks", message="%(prog)s %(version)s")
def app() -> None:
    """Plan how a model is split over GPUs, and show what `pulumi up` would build."""


app.add_lazy_commands("vllm_eks.cli", COMMANDS)


def main() -> None:
    """Run the command; a wrong question becomes one line on standard error."""
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
        # A full disk behind standard output; what is left in its buffer would fail once more at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print(f"vllm-eks: {error.filename or 'standard output'}: {error.strerror or error}", file=sys.stderr)
        sys.exit(1)
