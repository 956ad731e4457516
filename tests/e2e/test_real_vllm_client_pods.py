"""Counts by client with a real vLLM that serves in another way: several API servers, and embeddings. A pod each."""

import json

import pytest

from tests.e2e.real_clients import KEY, NAME, SECRET, TEXT, expect, log_lines, posted, settled
from tests.e2e.real_pods import CHOSEN, LATE_SECONDS, QUICK, START_SECONDS, pods, rendered_for, until


@pytest.mark.parametrize("version", CHOSEN)
def test_several_api_servers_are_counted_together(version: str) -> None:
    """The planner refuses --api-server-count. The chart alone accepts it."""
    flags = {"--api-server-count": "2"}
    secrets = {"llama-api-key": SECRET}
    with pods.running_pod(rendered_for(version), version=version, env=QUICK, secrets=secrets, flags=flags) as pod:
        pod.wait_ready(START_SECONDS)
        used: list[int] = []

        def both_served() -> bool:
            used.append(posted(pod, "/v1/completions", TEXT)[1])
            return len({line.partition("pid=")[2].partition(")")[0] for line in log_lines(pod)}) == 2

        until(LATE_SECONDS, both_served)
        expect(
            pod,
            {},
            {
                ("requests", "team-a", "200"): len(used),
                ("tokens", "team-a", "prompt"): 2 * len(used),
                ("tokens", "team-a", "generation"): sum(used),
            },
        )


@pytest.mark.parametrize("version", CHOSEN)
def test_embeddings_count_their_prompts(version: str) -> None:
    """Any model gives embeddings this way. The planner refuses the flag. The chart alone accepts it."""
    flags = {"--runner": "pooling"}
    secrets = {"llama-api-key": SECRET}
    with pods.running_pod(rendered_for(version), version=version, env=QUICK, secrets=secrets, flags=flags) as pod:
        pod.wait_ready(START_SECONDS)
        before = settled(pod)
        body = {"model": NAME, "input": ["Hello world", "Hello there, world"]}
        status, text = pod.request("/v1/embeddings", key=KEY, body=body, timeout=300)
        assert status == 200, text
        tokens = json.loads(text)["usage"]["prompt_tokens"]
        assert tokens > 2
        expect(pod, before, {("requests", "team-a", "200"): 1, ("tokens", "team-a", "prompt"): tokens})
