"""The outputs of the worked examples in docs/how-to/size.md: each block of text after a command is what it prints."""

import io
import os
import re
import shlex
from contextlib import redirect_stdout
from pathlib import Path

from vllm_eks.cli.main import app

PAGE = Path(__file__).parents[1] / "docs" / "how-to" / "size.md"
EXAMPLE = re.compile(r"(```sh\n(?P<command>vllm-eks size [^\n]*)\n```\n\n```text\n)(?P<output>.*?)(```)", re.DOTALL)
PLOT = re.compile(r"\n\n[^\n]* against load\n.*", re.DOTALL)


def size_page() -> str:
    """Return the page with the present outputs, without their plots."""
    return EXAMPLE.sub(lambda found: f"{found[1]}{output_of(found['command'])}{found[4]}", PAGE.read_text())


def output_of(command: str) -> str:
    """Return what a command prints into a pipe, up to its plot."""
    out = io.StringIO()
    colours = {name: os.environ.pop(name) for name in ("FORCE_COLOR", "TTY_COMPATIBLE") if name in os.environ}
    try:
        with redirect_stdout(out):
            app(shlex.split(command)[1:], prog_name="vllm-eks", standalone_mode=False)
    finally:
        os.environ.update(colours)
    return PLOT.sub("\n", out.getvalue())
