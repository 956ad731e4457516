"""Draws refused plans and applies each suggestion alone: `make suggestions [DRAWS=5000] [SEED=1]`.

Only the changes in the line are applied: flags with a number, `TP=x PP=y`, and another instance type.
"""

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from random import Random

from tests.accuracy.drawn_plans import Question, asked, draw
from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.engine.options import ServingOptions
from vllm_eks.planner.hardware.instances import catalogue
from vllm_eks.planner.search.layouts import try_layouts
from vllm_eks.planner.search.plan_model import plan

FLAGS: Mapping[str, Callable[[ServingOptions, int], ServingOptions]] = {
    "max-model-len": lambda options, value: replace(options, max_model_len=value),
    "max-num-seqs": lambda options, value: replace(options, max_num_seqs=value),
    "max-num-batched-tokens": lambda options, value: replace(options, max_num_batched_tokens=value),
    "pipeline-parallel-size": lambda options, value: replace(options, pipeline_parallel_size=value),
    "tensor-parallel-size": lambda options, value: replace(options, tensor_parallel_size=value),
}


def followed(question: Question, line: str) -> Question:
    """Return the request with the changes of a line."""
    options, instance = question.options, question.instance
    # Brackets contain the previous value or a price.
    plain = re.sub(r"\(.*?\)", "", line)
    for flag, value in re.findall(r"--([a-z-]+) (\d+)", plain):
        options = FLAGS[flag](options, int(value))
    sizes = re.search(r"TP=(\d+) PP=(\d+)", plain)
    if sizes:
        options = replace(options, tensor_parallel_size=int(sizes[1]), pipeline_parallel_size=int(sizes[2]))
    on = re.search(r"\d+ x ([a-z0-9-]+\.[a-z0-9]+)", plain)
    if on and on[1] != instance.type:
        instance = catalogue()[on[1]]
    return Question(question.model, instance, options)


def refused_questions(random: Random, number: int) -> Iterator[tuple[Question, tuple[str, ...]]]:
    """Yield refused requests with their suggestions."""
    found = 0
    while found < number:
        try:
            question = draw(random)
            fits = try_layouts(question.model, question.instance, question.options).fits
        except WrongQuestion:
            continue
        if not fits:
            found += 1
            yield question, plan(question.model, question.instance, question.options).suggestions


def works(question: Question, line: str) -> bool:
    """Return whether the plan fits with only the changes of a line."""
    after = followed(question, line)
    try:
        return try_layouts(after.model, after.instance, after.options).fits
    except WrongQuestion:
        return False


def main(number: int, seed: int) -> None:
    """Print each line that does not work, and how many of each kind do."""
    tried: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    without = 0
    for question, lines in refused_questions(Random(seed), number):
        without += not lines
        for line in lines:
            kind = re.split(r"[ :=]", line)[0]
            tried[kind] += 1
            if not works(question, line):
                failed[kind] += 1
                print(f"{asked(question)}: {line}")
    for kind, count in sorted(tried.items()):
        print(f"{kind}: {count - failed[kind]} of {count} work")
    print(f"{number} refusals, {without} without a suggestion: {sum(failed.values())} lines do not work")


if __name__ == "__main__":
    given = [int(one) for one in sys.argv[1:]]
    main(*(given + [5000, 1][len(given) :]))
