"""The configuration of Fluent Bit in a real Fluent Bit 5.1.1, which writes to moto's CloudWatch.

FLUENT_BIT names its binary. contributing/testing.md says how to build it.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from components.logs.fluent_bit import FluentBitConfig
from tests.e2e.real_fluent_bit import NODE, REGION, Node, moto_over_tls, running, write_config
from tests.support.until import until

pytestmark = [pytest.mark.e2e, pytest.mark.filterwarnings("ignore:Unverified HTTPS request")]

BINARY = os.environ.get("FLUENT_BIT", "")
GROUP = "/aws/eks/vllm-eks-dev/models"
TRACEBACK = (
    "F (EngineCore pid=91) ERROR 11-27 01:02:03 [core.py:855] EngineCore failed to start.",
    "F (EngineCore pid=91) Traceback (most recent call last):",
    '  F   File "core.py", line 846, in run_engine_core'.strip(),
    "F ValueError: No available memory for the cache blocks.",
)


@pytest.fixture
def cloudwatch() -> Iterator[tuple[Any, int]]:
    """moto's CloudWatch over HTTPS with the stack's log group, and its port. Fluent Bit always uses TLS."""
    if not BINARY:
        pytest.skip("FLUENT_BIT does not name a binary of Fluent Bit")
    with moto_over_tls() as port:
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        client = boto3.client("logs", REGION, endpoint_url=f"https://127.0.0.1:{port}", verify=False, **keys)  # pyright: ignore[reportCallIssue]
        client.create_log_group(logGroupName=GROUP)
        yield client, port


def streams(client: Any) -> dict[str, list[dict[str, str]]]:
    """Return the events of each stream."""
    names = [one["logStreamName"] for one in client.describe_log_streams(logGroupName=GROUP)["logStreams"]]
    return {
        name: [
            json.loads(event["message"])
            for event in client.get_log_events(logGroupName=GROUP, logStreamName=name, startFromHead=True)["events"]
        ]
        for name in names
    }


def test_each_line_becomes_an_event_with_the_fields_of_its_pod(tmp_path: Path, cloudwatch: tuple[Any, int]) -> None:
    client, port = cloudwatch
    node = Node(tmp_path)
    node.write("vllm-scout_scout-0_11aa", "vllm", *TRACEBACK)
    node.write("vllm-scout_scout-0-1_22bb", "vllm", "P first ", "F second")
    node.write("vllm-scout_scout-12_33cc", "vllm", "F again", restart=3)
    node.write("vllm-scout_scout-ready-x7k2p_44dd", "ready", "F waits")
    node.write("vllm-scout-weights_scout-copy-abcde_55ee", "copy", "F copies")
    node.write("vllm-llama-4_llama-4-0_66ff", "vllm", "F a name that ends in a number")
    node.write("lws-system_lws-controller-manager-1_77aa", "manager", "F reconciles")
    node.write("vllm-scout2_scout2-0_88bb", "vllm", "F of another stack")
    node.write("kube-system_aws-node-1_99cc", "aws-node", "F of the system")
    config = FluentBitConfig(
        release="fluent-bit-test", models=["scout", "llama-4"], log_group=GROUP, region=REGION, with_controller=True
    )
    file = write_config(node, config, GROUP, port=port)

    with running(BINARY, file):
        until(lambda: sum(len(events) for events in streams(client).values()) >= 10)
        # A new pod of the same name, as after a lost node, and a second line of a known file.
        node.write("vllm-scout_scout-0_aa11", "vllm", "F the next pod")
        node.write("vllm-scout_scout-12_33cc", "vllm", "F once more", restart=3)
        until(lambda: sum(len(events) for events in streams(client).values()) >= 12)
    with running(BINARY, file):
        node.write("vllm-scout_scout-12_33cc", "vllm", "F after a restart of Fluent Bit", restart=3)
        until(lambda: sum(len(events) for events in streams(client).values()) >= 13)

    leader = {"model": "scout", "group": "0", "rank": "0", "pod": "scout-0", "container": "vllm", "node": NODE}
    third = {**leader, "group": "12", "pod": "scout-12"}
    found = streams(client)
    assert found == {
        "pods/vllm-scout/scout-0/vllm": [
            *({**leader, "log": line.partition(" ")[2]} for line in TRACEBACK),
            {**leader, "log": "the next pod"},
        ],
        "pods/vllm-scout/scout-0-1/vllm": [{**leader, "rank": "1", "pod": "scout-0-1", "log": "first second"}],
        "pods/vllm-scout/scout-12/vllm": [
            {**third, "log": text} for text in ("again", "once more", "after a restart of Fluent Bit")
        ],
        "pods/vllm-scout/scout-ready-x7k2p/ready": [
            {"model": "scout", "pod": "scout-ready-x7k2p", "container": "ready", "node": NODE, "log": "waits"}
        ],
        "pods/vllm-scout-weights/scout-copy-abcde/copy": [
            {"model": "scout", "pod": "scout-copy-abcde", "container": "copy", "node": NODE, "log": "copies"}
        ],
        "pods/vllm-llama-4/llama-4-0/vllm": [
            {**leader, "model": "llama-4", "pod": "llama-4-0", "log": "a name that ends in a number"}
        ],
        "pods/lws-system/lws-controller-manager-1/manager": [
            {"pod": "lws-controller-manager-1", "container": "manager", "node": NODE, "log": "reconciles"}
        ],
    }
    own = file.with_name("own.log").read_text().splitlines()
    bad = [line for line in own if "[error]" in line or "[ warn]" in line]
    assert [line for line in bad if "service will shutdown" not in line] == []
