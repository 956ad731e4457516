"""The chart's guarantees for all values: drawn at random, rendered for real, and compared."""

import re
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from tests.support.chart_rendering import IMAGE, Rendered, model_values, render_text, tool
from vllm_eks.planner.engine.flag_reading import read_flags
from vllm_eks.planner.engine.flag_tables import nearest_table
from vllm_eks.planner.engine.images import DEFAULT_VLLM_VERSION
from vllm_eks.pods.drain import LIMIT_SECONDS as DRAIN_LIMIT_SECONDS

pytestmark = pytest.mark.skipif(tool("helm") is None, reason="helm is not installed")

LWS, INDEX = "leaderworkerset.sigs.k8s.io/name", "leaderworkerset.sigs.k8s.io/worker-index"


@st.composite
def values(draw: st.DrawFn) -> dict[str, Any]:
    """All values that the schema accepts and the planner could produce."""
    zones = draw(st.sampled_from([["us-west-2a"], ["us-west-2a", "us-west-2b"]]))
    made = model_values(
        tensor=draw(st.sampled_from([1, 2, 4, 8])),
        pipeline=draw(st.integers(1, 4)),
        replicas=draw(st.integers(0, 2)) * len(zones),
    )
    made["port"] = draw(st.integers(1024, 65535))
    made["placement"] = {"zones": zones, "instanceType": draw(st.sampled_from(["g5.48xlarge", "p5.48xlarge"]))}
    made["resources"] = {**made["resources"], "efa": draw(st.sampled_from([0, 1, 32]))}
    made["startup"] = {"budgetSeconds": draw(st.integers(10, 20000))}
    made["clientNamespaces"] = draw(st.sampled_from([[], ["apps"], ["apps", "jobs"]]))
    made["weights"] = draw(
        st.sampled_from(
            [
                {"nodePath": None},
                {"nodePath": "/mnt/w"},
                {"nodePath": None, "s3Uri": "s3://bucket/org/model", "region": "us-west-2"},
            ]
        )
    )
    made["model"] = {**made["model"], "revision": draw(st.sampled_from([None, "c0ffee"]))}
    made["secrets"] = {"apiKey": "keys", "huggingFaceToken": draw(st.sampled_from([None, "token"]))}
    made["health"] = {"unreadySeconds": draw(st.integers(30, 90)), "stallSeconds": draw(st.integers(60, 900))}
    return made


@hypothesis.settings(max_examples=5)
@hypothesis.given(values())
def test_the_chart_keeps_its_contract_for_all_values(values: dict[str, Any]) -> None:
    rendered = Rendered(render_text(values))
    group = rendered.one("LeaderWorkerSet")["spec"]
    assert group["replicas"] == values["replicas"]
    assert group["leaderWorkerTemplate"]["size"] == values["pipelineParallelSize"]
    for role in ("leader", "worker"):
        gpus_are_tensor_parallel(rendered, role, values)
        flags_have_the_versions_forms(rendered.container(role)["args"])
        every_mount_has_its_volume(rendered, role)
    one_image_and_none_is_latest(rendered)
    selectors_find_the_pods_that_are_made(rendered)
    probes_fit_their_budgets(rendered, values)


def gpus_are_tensor_parallel(rendered: Rendered, role: str, values: dict[str, Any]) -> None:
    for kind in ("requests", "limits"):
        devices = rendered.container(role)["resources"][kind]
        assert devices["nvidia.com/gpu"] == str(values["tensorParallelSize"])
        assert devices.get("vpc.amazonaws.com/efa", "0") == str(values["resources"]["efa"])


def flags_have_the_versions_forms(args: list[str]) -> None:
    """Every flag exists in the table of the default version, with a value of its kind."""
    # The kubelet replaces a variable with a number or a host name.
    given = [re.sub(r"\$\((LWS_GROUP_SIZE|LWS_WORKER_INDEX)\)", "1", arg) for arg in args[1:]]
    assert read_flags(given, nearest_table(DEFAULT_VLLM_VERSION).by_spelling).errors == []


def every_mount_has_its_volume(rendered: Rendered, role: str) -> None:
    spec = rendered.template(role)["spec"]
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    mounted = {
        mount["name"] for one in [*spec["containers"], *spec.get("initContainers", [])] for mount in one["volumeMounts"]
    }
    assert mounted == set(volumes)
    maps = {found["metadata"]["name"]: found["data"] for found in rendered.objects if found["kind"] == "ConfigMap"}
    for volume in volumes.values():
        if "configMap" in volume:
            given = maps[volume["configMap"]["name"]]
            assert all(item["key"] in given for item in volume["configMap"].get("items", []))
        if "persistentVolumeClaim" in volume:
            claims = [found for found in rendered.objects if found["kind"] == "PersistentVolumeClaim"]
            assert [claim["metadata"]["name"] for claim in claims] == [volume["persistentVolumeClaim"]["claimName"]]
    accounts = {found["metadata"]["name"] for found in rendered.objects if found["kind"] == "ServiceAccount"}
    assert spec["serviceAccountName"] in accounts


def one_image_and_none_is_latest(rendered: Rendered) -> None:
    specs = [rendered.template(role)["spec"] for role in ("leader", "worker")]
    images = {one["image"] for spec in specs for one in [*spec["containers"], *spec.get("initContainers", [])]}
    assert images == {IMAGE}
    assert ":latest" not in rendered.text


def selectors_find_the_pods_that_are_made(rendered: Rendered) -> None:
    """Labels of a real pod are those of its template and the controller's own."""
    made = [
        {
            **rendered.template(role)["metadata"]["labels"],
            LWS: rendered.one("LeaderWorkerSet")["metadata"]["name"],
            INDEX: index,
        }
        for role, index in (("leader", "0"), ("worker", "1"))
    ]
    job = rendered.one("Job")["spec"]["template"]["metadata"]["labels"]
    leader, worker = made

    def found_by(selector: dict[str, str]) -> list[str]:
        pods = {"leader": leader, "worker": worker, "job": job}
        return [name for name, labels in pods.items() if selector.items() <= labels.items()]

    assert found_by(rendered.one("Service")["spec"]["selector"]) == ["leader"]
    assert found_by(rendered.one("PodDisruptionBudget")["spec"]["selector"]["matchLabels"]) == ["leader", "worker"]
    policies = {
        found["metadata"]["name"]: found["spec"] for found in rendered.objects if found["kind"] == "NetworkPolicy"
    }
    chosen = {name: found_by(spec["podSelector"].get("matchLabels", {})) for name, spec in policies.items()}
    everybody = ["leader", "worker", "job"]
    assert chosen == {
        **{"scout-deny": everybody, "scout-dns": everybody, "scout-group": ["leader", "worker"]},
        **{"scout-clients": ["leader"], "scout-ready": ["job"]},
    }


def probes_fit_their_budgets(rendered: Rendered, values: dict[str, Any]) -> None:
    leader, worker = rendered.container("leader"), rendered.container("worker")
    startup = leader["startupProbe"]
    # The supervisor's own two waits, for the group and for vLLM, plus a minute.
    assert 60 <= startup["failureThreshold"] * startup["periodSeconds"] - 2 * values["startup"]["budgetSeconds"] < 70
    assert f"--start-seconds={values['startup']['budgetSeconds']}" in leader["command"]
    assert not {"startupProbe", "livenessProbe"} & set(worker)
    for probe, key in (("readinessProbe", "unreadySeconds"), ("livenessProbe", "stallSeconds")):
        command = leader[probe]["exec"]["command"]
        assert f"--stall-seconds={values['health'][key]}" in command
        assert f"--port={values['port']}" in command
    for role, pod in (("leader", leader), ("worker", worker)):
        assert f"--port={values['port']}" in pod["lifecycle"]["preStop"]["exec"]["command"]
        # Stopping after the drain took up to 29 s on real pods, and the drain's last request up to 5 s.
        assert rendered.template(role)["spec"]["terminationGracePeriodSeconds"] >= DRAIN_LIMIT_SECONDS + 5 + 29
