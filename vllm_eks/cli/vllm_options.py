"""Options of `vllm-eks plan` that are flags of `vllm serve`, with vLLM's own values."""

from collections.abc import Mapping
from typing import Any

from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.engine.engine_flags import NO_FLAGS, EngineFlags


def given_args(flags: Mapping[str, str | bool | None]) -> tuple[str, ...]:
    """Return the flags that were given as arguments of `vllm serve`.

    >>> given_args({"--dtype": "half", "--cpu-offload-gb": None, "--language-model-only": True})
    ('--dtype=half', '--language-model-only')
    """
    given = {flag: value for flag, value in flags.items() if value is not None and value is not False}
    return tuple(flag if value is True else f"{flag}={value}" for flag, value in given.items())


def counted_flags(args: tuple[str, ...], version: str) -> EngineFlags:
    """Return the counted flags among arguments of `vllm serve`.

    Raises:
        WrongQuestion: vLLM would refuse an argument.
    """
    if not args:
        return NO_FLAGS
    # Imported here, because the tables of flags take a tenth of the time of a plan.
    from vllm_eks.planner.engine.counted_flags import checked_flags

    return checked_flags(args, version)


def mm_limits(text: str | None) -> dict[str, Any] | None:
    """Return the limits of --limit-mm-per-prompt.

    Raises:
        WrongQuestion: vLLM would refuse them.
    """
    if text is None:
        return None
    from vllm_eks.planner.engine.mm_limits import parse_limits

    try:
        return parse_limits(text)
    except ValueError as error:
        raise WrongQuestion(f"--limit-mm-per-prompt: {error}") from None
