"""Print how the planner and vLLM's own classes agree: `make oracle [TABLE=file]`."""

import sys
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.accuracy.oracle import BESIDE, Answer, answers, questions
from vllm_eks.planner.units import gib


def row(one: Answer) -> tuple[str, ...]:
    """Return the cells of one layout."""
    if "start" in one.disagreements or one.refused_by_vllm:
        ours, theirs = one.refusal or "starts", one.refused_by_vllm or "starts"
        return one.name, one.label, ", ".join(one.disagreements), f"planner: {ours[:70]}", f"vLLM: {theirs[:70]}", ""
    weights = " | ".join(f"{gib(ours):.3f} / {gib(theirs):.3f}" for ours, theirs in one.weights)
    token_bytes = " | ".join(f"{a} / {b}" for a, b in zip(*one.token_bytes, strict=True)) if one.token_bytes else ""
    tokens = "{:,} / {}".format(one.tokens[0], "?" if one.tokens[1] is None else f"{one.tokens[1]:,}")
    weights = f"{100 * one.weights_error:+.2f} %  {weights}"
    return one.name, one.label, ", ".join(one.disagreements), weights, token_bytes, tokens


def main(arguments: list[str]) -> int:
    """Print every row and the sums. Return 1 when a row disagrees."""
    out = Console(width=240, highlight=False)
    table = Path(arguments[0]) if arguments else BESIDE
    if not table.exists():
        out.print(f"there is no table {table}: name one with make oracle TABLE=file", markup=False)
        return 2
    asked = questions(table)
    made = Table(box=None)
    for heading in (
        "model, GPU, vLLM",
        "layout",
        "DISAGREES",
        "weights: error, planner / vLLM in GiB",
        "KV B per token: planner / vLLM",
        "tokens: planner / vLLM",
    ):
        made.add_column(heading, no_wrap=True)
    scored = list(answers(asked))
    for one in scored:
        made.add_row(*row(one))
    out.print(made)
    unmapped = [question for question in asked if question.unmapped]
    out.print(f"\nnot mapped: {len(unmapped)} models")
    for question in unmapped:
        out.print(f"  {question.row['model']}: {question.unmapped}", markup=False)
    unanswered = [one for one in scored if one.unanswered]
    out.print(f"not answered by the oracle: {len(unanswered)} layouts")
    for one in unanswered:
        out.print(f"  {one.name} {one.label}: {one.unanswered}", markup=False)
    scored = [one for one in scored if not one.unanswered]
    wrong = Counter(kind for one in scored for kind in one.disagreements)
    agreed = sum(not one.disagreements for one in scored)
    out.print(f"\n{agreed} of {len(scored)} layouts agree; disagreements: {dict(wrong) or 'none'}", markup=False)
    return int(agreed < len(scored))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
