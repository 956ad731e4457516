"""The load of a benchmark: what the options say, and what cannot be sent."""

from dataclasses import replace

import pytest

from vllm_eks.bench.load import Load, load_of, require_sendable
from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.load.lengths import Lengths, TokenCount, fixed
from vllm_eks.planner.load.reading import traffic_and_level
from vllm_eks.planner.load.traffic import Traffic
from vllm_eks.planner.load.words import TrafficWords

GIVEN = TrafficWords(concurrent_users=32, input="1024", output="256")
LOAD = Load(requests_per_second=None, concurrent_users=32, input_tokens=1024, output_tokens=256, requests=256, seed=1)


def test_the_options_are_the_load_and_two_minutes_of_requests_by_default() -> None:
    assert load_of(traffic_and_level(GIVEN)[0], requests=None, seed=1) == LOAD
    rate = TrafficWords(requests_per_second=4, input="512", output="mean:128", shared_prefix=100)
    assert load_of(traffic_and_level(rate)[0], requests=None, seed=2) == Load(
        requests_per_second=4,
        concurrent_users=None,
        input_tokens=512,
        output_tokens=128,
        output_varies=True,
        shared_prefix_tokens=100,
        requests=480,
        seed=2,
    )
    assert load_of(traffic_and_level(GIVEN)[0], requests=40, seed=1).requests == 40


def test_a_load_is_said_in_one_line() -> None:
    assert LOAD.text == "256 requests, 32 concurrent users, 1024 input tokens, 256 output tokens"
    rate = replace(LOAD, concurrent_users=None, requests_per_second=2.5, shared_prefix_tokens=24, output_varies=True)
    assert replace(rate, requests_per_second=1e-5).arrivals == "0.00001 requests/s"
    assert replace(LOAD, concurrent_users=1).arrivals == "1 concurrent user"
    assert rate.text == "256 requests, 2.5 requests/s, 1024 input tokens (24 shared), about 256 output tokens"


@pytest.mark.parametrize("given", [GIVEN, replace(GIVEN, output="mean:99", shared_prefix=24)])
def test_the_planner_gets_the_same_traffic(given: TrafficWords) -> None:
    assert load_of(traffic_and_level(given)[0], requests=None, seed=1).traffic == traffic_and_level(given)[0]


def test_the_traffic_of_a_dataset_has_lengths_around_its_means() -> None:
    count = TokenCount(tokens=900.4, varies=True)
    lengths = Lengths(input=count, output=replace(count, tokens=99.6), rows=((900, 100),))
    load = load_of(Traffic(lengths=lengths, concurrent_users=8), requests=None, seed=3)

    assert (load.input_tokens, load.output_tokens, load.input_varies, load.output_varies) == (900, 100, True, True)
    assert (load.concurrent_users, load.requests) == (8, 64)


def test_users_who_think_cannot_be_sent() -> None:
    traffic = Traffic(lengths=fixed(100, 100), concurrent_users=8, think_seconds=10)
    with pytest.raises(WrongQuestion) as caught:
        load_of(traffic, requests=None, seed=1)
    assert str(caught.value) == (
        "vllm bench serve cannot wait 10s between the requests of a user: measure with --requests-per-second (these "
        "users send at most 0.8), or with fewer --concurrent-users who do not wait"
    )


@pytest.mark.parametrize(
    ("load", "said"),
    [
        (replace(LOAD, requests=0), "--requests 0 must be from 1 to 20000"),
        (replace(LOAD, requests=20001), "--requests 20001 must be from 1 to 20000"),
        (
            replace(LOAD, concurrent_users=30000, requests=30000),
            "one client cannot send for 30000 users: use --concurrent-users 20000 or fewer",
        ),
        (
            replace(LOAD, requests=31),
            "--requests 31 is fewer than 32 concurrent users: use 32 or more, better 256",
        ),
        (
            replace(LOAD, input_tokens=8000, output_tokens=193),
            "an input of 8000 and an output of 193 are 8193 tokens, and maxModelLen of scout is 8192: use shorter ones",
        ),
        (
            replace(LOAD, input_tokens=4000, output_tokens=1000, input_varies=True),
            "an input of 4000 and an output of 1000 are up to 8600 tokens, and maxModelLen of scout is 8192: use "
            "shorter ones",
        ),
    ],
)
def test_a_load_that_cannot_be_sent_is_refused(load: Load, said: str) -> None:
    with pytest.raises(WrongQuestion) as caught:
        require_sendable(load, max_model_len=8192, model="scout")
    assert str(caught.value) == said


def test_a_load_of_exactly_the_context_is_sent() -> None:
    require_sendable(replace(LOAD, input_tokens=8000, output_tokens=192), max_model_len=8192, model="scout")


def test_only_the_part_that_is_not_shared_varies() -> None:
    shared = replace(LOAD, input_tokens=1000, shared_prefix_tokens=900, output_tokens=100, input_varies=True)
    assert shared.longest_request_tokens == 900 + 190 + 100
