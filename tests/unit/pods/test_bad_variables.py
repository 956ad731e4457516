"""An invalid value is reported with the environment variable that has it."""

import pytest

from vllm_eks.pods.bad_variables import bad_variables
from vllm_eks.pods.causes import cause_of
from vllm_eks.pods.lifecycle import last_error

GIVEN = {
    "VLLM_CPU_KVCACHE_SPACE": "lots",
    "VLLM_SERVER_DEV_MODE": "true",
    "VLLM_LOGGING_LEVEL": "LOUD",
    "HF_HUB_OFFLINE": "true",
    "MY_LIMIT": "half",
    "A": "same",
    "B": " same",
}
# Lines of vLLM 0.27.0, and the expected variables.
SAID = {
    "Value error, invalid literal for int() with base 10: 'lots' [type=value_error, input_value=ArgsKwargs((), {'mod"
    "el_co...'shutdown_timeout': 15}), input_type=ArgsKwargs]": "VLLM_CPU_KVCACHE_SPACE",
    "ValueError: invalid literal for int() with base 10: 'true'": "VLLM_SERVER_DEV_MODE",
    "ValueError: Unknown level: 'LOUD'": "VLLM_LOGGING_LEVEL",
    "ValueError: could not convert string to float: 'half'": "MY_LIMIT",
    "ValueError: invalid truth value 'same'": "A or B",
}


@pytest.mark.parametrize(("line", "name"), SAID.items(), ids=list(SAID.values()))
def test_the_variable_is_named_and_is_the_cause(monkeypatch: pytest.MonkeyPatch, line: str, name: str) -> None:
    assert bad_variables(line, GIVEN) == f"environment variable {name}"
    for key, value in GIVEN.items():
        monkeypatch.setenv(key, value)
    reported = last_error(
        "(APIServer pid=7) Traceback (most recent call last):\n"
        f"(APIServer pid=7) {line}\n"
        "(APIServer pid=7) RuntimeError: Engine core initialization failed. See root cause above."
    )
    assert reported.endswith(f" (environment variable {name})")
    cause = cause_of(f"Error, exit code 1, last log line: vLLM ended unexpectedly with exit code 1: {reported}")
    assert cause is not None
    assert cause.code == "environment"


@pytest.mark.parametrize(
    "line",
    [
        "ValueError: invalid literal for int() with base 10: 'no variable has this'",
        "vllm serve: error: argument --max-num-seqs: invalid int value: 'true'",
        "ValueError: there is no model 'lots'",
    ],
)
def test_a_value_of_no_variable_has_no_name(line: str) -> None:
    assert bad_variables(line, GIVEN) == ""
