"""The start budget is one number: what holds probe, Job, Release timeout and text together."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.serving.helm_values import JOB_SLACK_SECONDS, release_values
from tests.support.chart_rendering import Rendered, render_text, tool
from tests.support.plans import QWEN_8B, SCOUT, planned
from vllm_eks.planner.engine import startup
from vllm_eks.planner.engine.startup import S3, startup_budget
from vllm_eks.planner.search.gpu_nodes import GpuNodes
from vllm_eks.planner.search.serving import ServingSpec
from vllm_eks.preview.recording import Recording, record
from vllm_eks.stack_files.read import read_stack_file

ROOT = Path(__file__).parents[4]
RATES = ("HUB_GB_PER_SECOND", "LOAD_GB_PER_SECOND", "IMAGE_PULL_GB_PER_SECOND")


def waits(recording: Recording) -> dict[str, int]:
    """Return every wait of the program of the dev stack: from its Release, and from the chart it renders."""
    (release,) = [one for one in recording.registrations if one.name == "llama-4-scout-release"]
    rendered = Rendered(render_text(release.inputs["values"]))
    (supervisor,) = [one for one in rendered.container("leader")["command"] if one.startswith("--start-seconds=")]
    job = rendered.one("Job")["spec"]
    (script,) = [arg for arg in job["template"]["spec"]["containers"][0]["args"] if "--timeout-seconds" in arg]
    return {
        "budget": recording.fleet["llama-4-scout"].plan.startup.budget_seconds,
        "supervisor": int(supervisor.partition("=")[2]),
        "job": job["activeDeadlineSeconds"] - JOB_SLACK_SECONDS,
        "script": int(script.partition("=")[2]) + 60 - JOB_SLACK_SECONDS,
        "release": release.inputs["timeout"] - JOB_SLACK_SECONDS,
        "engine": int(release.request.customTimeouts.update.removesuffix("s")) - 120 - JOB_SLACK_SECONDS,
    }


@pytest.mark.skipif(tool("helm") is None, reason="helm is not installed")
def test_a_slower_network_lengthens_start_job_and_timeouts_alike(
    recorded_stack: Callable[[str], Recording], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = waits(recorded_stack("dev"))
    assert len(set(before.values())) == 1, before
    monkeypatch.setattr(startup, "HUB_GB_PER_SECOND", startup.HUB_GB_PER_SECOND / 2)
    after = waits(record(ROOT, read_stack_file(ROOT, "dev").for_offline_preview()))
    assert len(set(after.values())) == 1, after
    assert after["budget"] > before["budget"]


@pytest.mark.parametrize("rate", RATES)
def test_every_rate_of_a_download_from_the_hub_counts(rate: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = planned(SCOUT).startup.budget_seconds
    monkeypatch.setattr(startup, rate, getattr(startup, rate) / 2)
    assert planned(SCOUT).startup.budget_seconds > before


def test_from_s3_the_rate_of_s3_counts_and_the_hubs_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def budget() -> int:
        return planned(SCOUT, weights_source=S3).startup.budget_seconds

    before = budget()
    monkeypatch.setattr(startup, "HUB_GB_PER_SECOND", 0.001)
    assert budget() == before
    monkeypatch.setattr(startup, "S3_GB_PER_SECOND", 0.1)
    assert budget() > before


def test_ranks_that_do_not_share_read_everything_each() -> None:
    def seconds(**requested: Any) -> float:
        return planned(QWEN_8B, weights_source=S3, **requested).startup.steps_seconds["stream the weights"]

    assert seconds(enforce_eager=True) == pytest.approx(8 * seconds())


def test_both_sources_are_reported_whichever_is_used() -> None:
    facts = {"weights_bytes": 10**11, "network_gbps": 100.0}
    hub, s3 = startup_budget(**facts), startup_budget(**facts, weights_source=S3)
    assert set(hub.other_ways_seconds) == {"streamed from S3", "from this node's NVMe again"}
    assert set(s3.other_ways_seconds) == {"from the Hub", "from this node's NVMe again"}
    assert hub.other_ways_seconds["streamed from S3"] == sum(s3.steps_seconds.values())
    assert s3.other_ways_seconds["from the Hub"] == sum(hub.steps_seconds.values())


def test_streamed_weights_need_no_disk_space() -> None:
    def values(**requested: Any) -> dict:
        nodes = GpuNodes(plan=planned(SCOUT, **requested), zones=("us-west-2a",))
        return release_values(nodes, ServingSpec(name="scout"))

    assert values()["weights"] == {"nodePath": "/mnt/k8s-disks/0/vllm-eks-weights"}
    streamed = values(weights_source=S3)
    assert streamed["weights"] == {"nodePath": None}
    assert (streamed["weightsStorage"], streamed["resources"]["ephemeralStorage"]) == ("4Gi", "24Gi")
    at = streamed["vllmArgs"].index("--load-format")
    assert streamed["vllmArgs"][at : at + 4] == [
        *("--load-format", "runai_streamer"),
        *("--model-loader-extra-config", '{"distributed": true}'),
    ]
