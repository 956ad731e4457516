"""The load of a benchmark in words: the options, and for the rest the model's `traffic` in the stack file."""

from vllm_eks.errors import WrongQuestion
from vllm_eks.json_values import object_or_empty
from vllm_eks.planner.load.traffic import Traffic
from vllm_eks.planner.load.words import TrafficWords
from vllm_eks.stack_files.stack_file import StackFile


def traffic_of(given: TrafficWords, file: StackFile, name: str) -> Traffic:
    """Return the traffic of the options, completed by the one of the stack file.

    Raises:
        WrongQuestion: Neither has a load, or a value is wrong.
    """
    words = combined(given, stated_words(file, name))
    if words == TrafficWords():
        raise WrongQuestion(
            f"how much load? Use --requests-per-second or --concurrent-users, with --input and --output, or set "
            f"models.{name}.traffic in Pulumi.{file.stack}.yaml"
        )
    return words.traffic()


def stated_words(file: StackFile, name: str) -> TrafficWords:
    """Return the `traffic` of a model in a checked stack file. Without one, all is left out."""
    stated = object_or_empty(object_or_empty(file.section("models").get(name)).get("traffic"))
    rate, users, shared = (stated.get(key) for key in ("requestsPerSecond", "concurrentUsers", "sharedPrefix"))
    return TrafficWords(
        requests_per_second=float(rate) if isinstance(rate, int | float) else None,
        concurrent_users=users if isinstance(users, int) else None,
        think_time=_text(stated.get("thinkTime")),
        input=_text(stated.get("input")),
        output=_text(stated.get("output")),
        workload=_text(stated.get("workload")),
        shared_prefix=shared if isinstance(shared, int) else None,
    )


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
        shared_prefix=lengths.shared_prefix if given.shared_prefix is None else given.shared_prefix,
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)
