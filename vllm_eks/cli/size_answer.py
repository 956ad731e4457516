"""The answer of `vllm-eks size`, as text, JSON, a plot, and a part of a stack file."""

import json
import sys
from pathlib import Path

from vllm_eks.cli.size_question import SizeOptions, ask
from vllm_eks.cli.views.size_json import size_json
from vllm_eks.cli.views.size_text import no_machine_lines
from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.sizing.choice import SizeAnswer, size

MEETS, DOES_NOT_MEET = 0, 3


def run_size(given: SizeOptions) -> int:
    """Print the machines for a load and return the exit status.

    Raises:
        WrongQuestion: The question is invalid, or the answer cannot be written.
    """
    asked = ask(given)
    answer = size(asked.question)
    if given.as_json:
        print(json.dumps(size_json(answer, spot=given.spot), indent=2))
    elif answer.rows:
        # Imported here, because --json does not need rich, which takes a quarter of the total time.
        from vllm_eks.cli.views.size import show_size

        show_size(answer, spot=given.spot)
    if given.plot and answer.rows:
        _plot(answer, given.plot)
    if answer.is_met:
        if asked.place:
            from vllm_eks.stack_files.sized_model import write_sized

            for line in write_sized(asked.place, answer.rows[0], given.words, spot=given.spot):
                print(line, file=sys.stderr if given.as_json else sys.stdout)
        return MEETS
    for line in no_machine_lines(answer):
        print(line, file=sys.stderr)
    if asked.place:
        print(f"nothing was written to {asked.place.path.name}", file=sys.stderr)
    return DOES_NOT_MEET


def _plot(answer: SizeAnswer, file: Path) -> None:
    from vllm_eks.cli.views.load_svg import load_svg

    try:
        file.write_text(load_svg(answer), encoding="utf-8")
    except OSError as error:
        raise WrongQuestion(f"--plot {file}: {error.strerror}") from None
