"""One start of a group with a real vLLM of the default version, for every change: keys, a benchmark, a hang, an end.

Uses the newest available build if the default version is not built. It takes about five minutes. test_real_vllm.py and
test_real_vllm_ends.py have the rest (`make e2e-vllm`).
"""

import pytest

from tests.e2e.real_bench import LOAD, benched, measured_in
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


@pytest.mark.parametrize("version", [DEFAULT_VLLM_VERSION if DEFAULT_VLLM_VERSION in VERSIONS else VERSIONS[-1]])
def test_a_group_answers_to_keys_is_measured_shows_a_hang_and_ends_with_its_cause(version: str) -> None:
    with broken(rendered_for(version), version) as (leader, worker):
        leader.wait_ready(START_SECONDS)
        assert leader.request("/v1/models")[0] == 401
        assert leader.complete(8)[0] == 200
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
