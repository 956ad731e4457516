"""How estimates combine."""

import pytest

from vllm_eks.planner.ranges import Range, exactly


def test_independent_estimates_add_by_the_root_of_the_squares_of_each_side() -> None:
    found = Range(7, 10, 14) + Range(16, 20, 23)
    assert (found.low, found.best, found.high) == (25, 30, 35)
    assert Range(7, 10, 14) + exactly(5) == Range(12, 15, 19)


def test_a_difference_swaps_low_and_high() -> None:
    found = Range(7, 10, 14) + -Range(16, 20, 23)
    assert (found.low, found.best, found.high) == (pytest.approx(-10 - 18**0.5), -10, pytest.approx(-10 + 32**0.5))


def test_the_likely_value_is_a_small_part_of_the_way_to_the_low_end() -> None:
    assert Range(5, 10, 30).likely == 9.25
    assert exactly(4).likely == 4
