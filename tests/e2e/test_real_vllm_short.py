"""One start of a group with a real vLLM of the default version, for every change: keys, a benchmark, a hang, an end.

Uses the newest available build if the default version is not built. It takes about five minutes. test_real_vllm.py and
test_real_vllm_ends.py have the rest (`make e2e-vllm`).
"""

from typing import Any

import pytest

from tests.e2e.real_bench import LOAD, benched, measured_in
from tests.e2e.real_clients import KEY, OTHER, SECRET, expect, pod_ip_request, settled
from tests.e2e.real_pods import (
    LATE_SECONDS,
    START_SECONDS,
    UNREADY_SECONDS,
    VERSIONS,
    answered,
    asked,
    broken,
    ended,
    rendered_for,
    until,
    well,
)
from vllm_eks.planner.engine.images import DEFAULT_VLLM_VERSION


def named_keys_work(leader: Any) -> None:
    """Check the keys of clients, their counts, and who may read them."""
    before = settled(leader)
    assert leader.complete(8, key=KEY)[0] == 200
    assert leader.complete(8, key=OTHER)[0] == 403
    expect(
        leader,
        before,
        {
            ("requests", "team-a", "200"): 1,
            ("tokens", "team-a", "prompt"): 2,
            ("tokens", "team-a", "generation"): 8,
            ("requests", "team-b", "403"): 1,
            ("refusals", "team-b", "model"): 1,
        },
    )
    assert pod_ip_request(leader, 8000, "/metrics")[0] == 401
    assert (
        'vllm_eks_client_requests_total{client="team-a",status="200"} 1.0'
        in pod_ip_request(leader, 8001, "/metrics")[1]
    )


@pytest.mark.parametrize("version", [DEFAULT_VLLM_VERSION if DEFAULT_VLLM_VERSION in VERSIONS else VERSIONS[-1]])
def test_a_group_answers_to_keys_is_measured_shows_a_hang_and_ends_with_its_cause(version: str) -> None:
    with broken(rendered_for(version), version, secrets={"llama-api-key": SECRET}) as (leader, worker):
        leader.wait_ready(START_SECONDS)
        assert leader.request("/v1/models")[0] == 401
        assert leader.complete(8)[0] == 200
        named_keys_work(leader)
        until(LATE_SECONDS, lambda: well(leader) and well(worker))
        assert measured_in(benched(leader)).completed == LOAD.requests

        with leader.paused("engine"):
            threads, answers = asked(leader, 8, count=3)
            until(UNREADY_SECONDS + LATE_SECONDS, lambda: "stuck: " in leader.probe("readiness").stdout)
            assert leader.running
            assert worker.running
        answered(leader, threads)
        assert {status for status, _ in answers} == {200}
        until(LATE_SECONDS, lambda: well(leader))

        leader.kill("engine")
        code, said, cause = ended(leader, 20)
        assert (code, cause) == (70, "killed")
        assert said.startswith("vLLM ended unexpectedly with exit code 0")
        assert ended(worker, 10)[::2] == (71, "killed")
