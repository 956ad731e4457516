"""The load of a benchmark in words: the options, and for the rest the model's `traffic` in the stack file."""

from dataclasses import replace
from pathlib import Path

from vllm_eks.errors import WrongQuestion
from vllm_eks.json_values import object_or_empty
from vllm_eks.planner.load.reading import traffic_and_level
from vllm_eks.planner.load.traffic import Traffic
from vllm_eks.planner.load.words import TrafficWords
from vllm_eks.stack_files.stack_file import StackFile
from vllm_eks.stack_files.stated_traffic import words_of


def traffic_of(given: TrafficWords, file: StackFile, name: str, folder: Path) -> Traffic:
    """Return the traffic of the options, completed by the one of the stack file in a folder.

    Raises:
        WrongQuestion: Neither has a load, or values are wrong.
    """
    words = combined(given, stated_words(file, name, folder))
    stack = f"or set models.{name}.traffic in Pulumi.{file.stack}.yaml"
    has_load = words.given("requests_per_second") or words.given("concurrent_users")
    has_lengths = any(words.given(one) for one in ("input", "output", "workload", "dataset"))
    if not has_load and not has_lengths:
        load = "--requests-per-second or --concurrent-users, with --input and --output"
        raise WrongQuestion(f"how much load? Use {load}, {stack}")
    if not has_load:
        raise WrongQuestion(f"how much load? Use --requests-per-second or --concurrent-users, {stack}")
    if not has_lengths:
        raise WrongQuestion(f"how long are requests? Use --input and --output, {stack}")
    return traffic_and_level(words)[0]


def stated_words(file: StackFile, name: str, folder: Path) -> TrafficWords:
    """Return the load in the `traffic` of a model in a checked stack file. Without one, all is left out."""
    words = words_of(object_or_empty(file.section("models").get(name)).get("traffic"), folder)
    return replace(words, ttft=None, itl=None, e2e=None)


def combined(given: TrafficWords, stated: TrafficWords) -> TrafficWords:
    """Return the words of the options, completed by those of the stack file.

    An option for the arrivals replaces all that the stack says about arrivals. The same holds for the lengths.
    """
    arrivals = stated if given.requests_per_second is None and given.concurrent_users is None else given
    lengths = stated if given.input is None and given.output is None else given
    return TrafficWords(
        requests_per_second=arrivals.requests_per_second,
        concurrent_users=arrivals.concurrent_users,
        think_time=arrivals.think_time,
        input=lengths.input,
        output=lengths.output,
        workload=lengths.workload,
        dataset=lengths.dataset,
        shared_prefix=lengths.shared_prefix if given.shared_prefix is None else given.shared_prefix,
    )
