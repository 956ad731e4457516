"""Draws refused plans and applies each suggestion alone: `make suggestions [DRAWS=5000]`.

Only the changes in the line are applied: flags with a number, `TP=x PP=y`, and another instance type.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.engine.options import ServingOptions
from vllm_eks.planner.hardware.instances import InstanceType, catalogue
from vllm_eks.planner.models.known_models import ModelFacts, find_model, locked_model_ids
from vllm_eks.planner.search.layouts import try_layouts
from vllm_eks.planner.search.plan_model import plan

FLAGS = {
    "max-model-len": lambda options, value: replace(options, max_model_len=value),
    "max-num-seqs": lambda options, value: replace(options, max_num_seqs=value),
    "max-num-batched-tokens": lambda options, value: replace(options, max_num_batched_tokens=value),
    "pipeline-parallel-size": lambda options, value: replace(options, pipeline_parallel_size=value),
    "tensor-parallel-size": lambda options, value: replace(options, tensor_parallel_size=value),
}


@dataclass(frozen=True)
class Question:
    """The requested plan."""

    model: ModelFacts
    instance: InstanceType
    options: ServingOptions


def draw(random: Random) -> Question:
    """Return a request with some of the options that users set."""

    def some(*values: int) -> int | None:
        return random.choice(values) if random.random() < 0.4 else None

    options = ServingOptions(
        tensor_parallel_size=some(1, 2, 3, 4, 8),
        pipeline_parallel_size=some(1, 2, 3, 4, 99),
        max_model_len=some(2048, 16384, 32768, 131072, 1_000_000),
        max_num_seqs=some(1, 16, 64, 256, 512, 1024),
        max_num_batched_tokens=some(1024, 2048, 8192, 32768, 100_000_000),
        gpu_memory_utilization=random.choice((None, None, 0.5, 0.8, 0.95)),
        kv_cache_dtype=random.choice(("auto", "auto", "fp8")),
        enforce_eager=random.random() < 0.2,
        enable_expert_parallel=random.random() < 0.1,
        replicas=random.choice((1, 1, 1, 2, 4)),
        vllm_version=random.choice(("0.27.0", "0.21.0", "0.32.0", "0.12.0")),
    )
    model = find_model(random.choice(locked_model_ids()))
    return Question(model, random.choice(list(catalogue().values())), options)


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
    if on:
        instance = catalogue()[on[1]]
    return Question(question.model, instance, options)


def refused_questions(random: Random, number: int) -> Iterator[tuple[Question, tuple[str, ...]]]:
    """Yield refused requests with their suggestions."""
    found = 0
    while found < number:
        question = draw(random)
        try:
            answer = plan(question.model, question.instance, question.options)
        except WrongQuestion:
            continue
        if not answer.fits:
            found += 1
            yield question, answer.suggestions


def works(question: Question, line: str) -> bool:
    """Return whether the plan fits with only the changes of a line."""
    after = followed(question, line)
    try:
        return try_layouts(after.model, after.instance, after.options).fits
    except WrongQuestion:
        return False


def main(number: int) -> None:
    """Print each line that does not work, and how many of each kind do."""
    tried: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    without = 0
    for question, lines in refused_questions(Random(1), number):
        without += not lines
        for line in lines:
            kind = re.split(r"[ :=]", line)[0]
            tried[kind] += 1
            if not works(question, line):
                failed[kind] += 1
                print(f"{question.model.id} on {question.instance.type}, {question.options}: {line}")
    for kind, count in sorted(tried.items()):
        print(f"{kind}: {count - failed[kind]} of {count} work")
    print(f"{number} refusals, {without} without a suggestion: {sum(failed.values())} lines do not work")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 5000)
