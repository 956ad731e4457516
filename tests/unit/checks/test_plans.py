"""The planner's texts in the words of the stack file."""

import pytest

from checks.plans import in_stack_file_words


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("would work: --max-model-len 4096 fits", "would work: maxModelLen: 4096 fits"),
        ("lower --gpu-memory-utilization", "lower gpuMemoryUtilization"),
        ("--speculative-config: use another method", "--speculative-config: use another method"),
        ("raise --num-gpu-blocks-override 20 or --max-num-seqs", "raise --num-gpu-blocks-override 20 or maxNumSeqs"),
    ],
)
def test_a_flag_is_a_key_of_the_stack_file_only_if_there_is_one(line: str, told: str) -> None:
    assert in_stack_file_words(line) == told
