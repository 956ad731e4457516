"""`vllm-eks bench` with the client of a real vLLM of each version, against its server on the CPU."""

from dataclasses import replace

import pytest

from tests.e2e.real_bench import LOAD, benched, measured_in
from tests.e2e.real_pods import CHOSEN, QUICK, START_SECONDS, pods, rendered_for

KEY = "key-one"


@pytest.mark.parametrize("version", CHOSEN)
def test_the_client_of_each_version_measures_its_server_and_never_prints_the_key(version: str) -> None:
    with pods.running_pod(rendered_for(version), version=version, env=QUICK) as pod:
        pod.wait_ready(START_SECONDS)

        users = benched(pod)
        found = measured_in(users)
        assert (found.completed, found.failed, found.output_tokens) == (4, 0, 16)
        # The random prompts of the tiny tokenizer come out some tokens longer or shorter.
        assert found.input_tokens == pytest.approx(4 * 32, rel=0.3)
        assert found.output_tokens_per_second == pytest.approx(16 / found.duration_seconds)
        assert 0 < found.ttft_seconds.mean <= found.e2e_seconds.mean
        assert KEY not in users.stdout + users.stderr

        rate = replace(LOAD, concurrent_users=None, requests_per_second=5.0, shared_prefix_tokens=16, input_varies=True)
        assert measured_in(benched(pod, rate)).completed == 4
