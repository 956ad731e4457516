"""The answer of `vllm-eks size`, as text, JSON, a plot, and a part of a stack file."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from vllm_eks.cli.views.size_json import size_json
from vllm_eks.cli.views.size_text import no_machine_lines
from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.sizing.choice import SizeAnswer, size
from vllm_eks.planner.sizing.question import SizeQuestion
from vllm_eks.stack_files.stack_file import StackFile

MEETS, DOES_NOT_MEET = 0, 3


@dataclass(frozen=True, kw_only=True)
class SizeOutput:
    """Where the answer goes."""

    spot: bool = False
    as_json: bool = False
    plot: Path | None = None
    """An SVG file to write."""
    write: str | None = None
    """A stack to write the choice to."""
    folder: Path = Path()


def run_size(question: SizeQuestion, shown: SizeOutput) -> int:
    """Print the machines for a load and return the exit status.

    Raises:
        WrongQuestion: The question is invalid, or the stack file has other values for the model.
    """
    if shown.plot and shown.plot.suffix.lower() != ".svg":
        raise WrongQuestion(f"--plot {shown.plot}: the file is written as SVG: use a name that ends in .svg")
    stack = _stack(question, shown) if shown.write else None
    answer = size(question)
    if shown.as_json:
        print(json.dumps(size_json(answer, spot=shown.spot), indent=2))
    elif answer.rows:
        # Imported here, because --json does not need rich, which takes a quarter of the total time.
        from vllm_eks.cli.views.size import show_size

        show_size(answer, spot=shown.spot)
    if shown.plot and answer.rows:
        _plot(answer, shown.plot)
    if answer.is_met:
        if stack:
            _write(answer, shown, stack)
        return MEETS
    for line in no_machine_lines(answer):
        print(line, file=sys.stderr)
    return DOES_NOT_MEET


def _plot(answer: SizeAnswer, file: Path) -> None:
    from vllm_eks.cli.views.load_svg import load_svg

    try:
        file.write_text(load_svg(answer), encoding="utf-8")
    except OSError as error:
        raise WrongQuestion(f"--plot {file}: {error.strerror}") from None


def _stack(question: SizeQuestion, shown: SizeOutput) -> StackFile:
    # Imported here, because only --write reads YAML.
    from vllm_eks.stack_files.sized_model import stack_to_write

    return stack_to_write(shown.folder, shown.write or "", question.region)


def _write(answer: SizeAnswer, shown: SizeOutput, stack: StackFile) -> None:
    from vllm_eks.stack_files.sized_model import write_sized

    written = write_sized(shown.folder, stack, answer.rows[0], spot=shown.spot)
    print(written, file=sys.stderr if shown.as_json else sys.stdout)
