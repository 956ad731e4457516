"""The chart, rendered by the real helm: the hook Job, the revision, and refusals of the schema."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support.chart_rendering import (
    CHART,
    Rendered,
    model_values,
    render_text,
    run_helm,
    tool,
    with_value,
    without_value,
)

pytestmark = pytest.mark.skipif(tool("helm") is None, reason="helm is neither on PATH nor in $KUBE_LAB/bin")

ONE_NODE = model_values(tensor=8, pipeline=1)
TWO_NODES = model_values(tensor=8, pipeline=2)
TWO_COPIES = model_values(tensor=4, pipeline=2, replicas=2, port=9000)


@pytest.fixture(scope="session")
def one_node() -> Rendered:
    return Rendered(render_text(ONE_NODE))


@pytest.fixture(scope="session")
def two_nodes() -> Rendered:
    return Rendered(render_text(TWO_NODES))


@pytest.fixture(scope="session")
def two_copies() -> Rendered:
    return Rendered(render_text(TWO_COPIES))


def revision_of(values: dict[str, Any]) -> str:
    return Rendered(render_text(values)).revision()


# --- the hook Job


def test_the_hook_job_runs_after_every_install_and_upgrade_and_keeps_its_logs_when_it_fails(one_node: Rendered) -> None:
    job = one_node.one("Job")
    assert job["metadata"]["annotations"] == {
        "helm.sh/hook": "post-install,post-upgrade",
        "helm.sh/hook-delete-policy": "before-hook-creation",
    }
    assert job["spec"]["activeDeadlineSeconds"] == 2700
    assert job["spec"]["backoffLimit"] == 0
    assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never"
    (rule,) = job["spec"]["podFailurePolicy"]["rules"]
    assert rule == {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}


def test_the_hook_job_gets_its_arguments(two_copies: Rendered) -> None:
    (container,) = two_copies.one("Job")["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "python:3.12.8-alpine3.21"
    assert container["command"] == ["python3", "-u", "/scripts/vllm_eks/pods/wait_ready.py"]
    assert container["terminationMessagePolicy"] == "FallbackToLogsOnError"
    assert container["args"] == [
        *("--namespace=vllm-scout", "--name=scout", f"--revision={two_copies.revision()}", "--replicas=2"),
        *("--model=scout", "--port=9000", "--service-url=http://scout-api.vllm-scout.svc:9000"),
        *("--timeout-seconds=2640", "--api-key-file=/secrets/api-key/apiKey"),
    ]


def test_the_hook_job_is_restricted_and_runs_off_the_gpu_nodes(one_node: Rendered) -> None:
    spec = one_node.one("Job")["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert "tolerations" not in spec
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        **{"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}},
    }
    secret = next(volume["secret"] for volume in spec["volumes"] if "secret" in volume)
    assert secret["secretName"] == "api-key-1"


def test_the_hook_job_may_only_read(one_node: Rendered) -> None:
    rules = one_node.one("Role")["rules"]
    assert [(rule["resources"], rule["verbs"]) for rule in rules] == [
        (["leaderworkersets"], ["get"]),
        (["pods", "events"], ["list"]),
        (["pods/log"], ["get"]),
    ]
    assert rules[0]["resourceNames"] == ["scout"]
    binding = one_node.one("RoleBinding")
    account = one_node.one("Job")["spec"]["template"]["spec"]["serviceAccountName"]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": account, "namespace": "vllm-scout"}]
    assert binding["roleRef"]["name"] == one_node.one("Role")["metadata"]["name"]


def test_the_script_reaches_the_job_unchanged(one_node: Rendered) -> None:
    files = {path.name: path.read_text() for path in (CHART / "files").glob("*.py")}
    assert {"wait_ready.py", "rollout.py", "engine.py", "alive.py", "drain.py", "supervise.py"} <= set(files)
    shipped = one_node.one("ConfigMap")["data"]
    assert {name: text.rstrip() for name, text in shipped.items()} == {n: t.rstrip() for n, t in files.items()}


def test_recheck_values_are_only_in_the_jobs_pod(one_node: Rendered) -> None:
    marks = {"chartDigest": "digest-mark", "nodes": "nodes-mark"}
    rendered = Rendered(render_text({**ONE_NODE, "recheck": marks}))
    annotations = rendered.one("Job")["spec"]["template"]["metadata"]["annotations"]
    assert annotations == {
        "vllm-eks/recheck-chart-digest": "digest-mark",
        "vllm-eks/recheck-nodes": "nodes-mark",
        "vllm-eks/revision": one_node.revision(),
    }
    assert all(rendered.text.count(mark) == 1 for mark in marks.values())


# --- the revision


@pytest.mark.parametrize(
    ("path", "value"), [("replicas", 3), ("recheck.nodes", "others"), ("readiness.timeoutSeconds", 999)]
)
def test_changes_that_do_not_affect_the_pods_keep_the_revision(one_node: Rendered, path: str, value: Any) -> None:
    assert revision_of(with_value(ONE_NODE, path, value)) == one_node.revision()


@pytest.mark.parametrize(
    ("path", "value"),
    [("vllmArgs", ["--max-model-len", "4096"]), ("secrets.apiKey", "api-key-2"), ("pipelineParallelSize", 3)],
)
def test_changes_that_restart_the_pods_change_the_revision(two_nodes: Rendered, path: str, value: Any) -> None:
    assert revision_of(with_value(TWO_NODES, path, value)) != two_nodes.revision()


def test_a_comment_in_a_template_restarts_nothing(one_node: Rendered, tmp_path: Path) -> None:
    chart = tmp_path / "vllm"
    shutil.copytree(CHART, chart)
    pod = chart / "templates" / "_pod.tpl"
    pod.write_text(pod.read_text().replace("enableServiceLinks: false", "# Another word.\nenableServiceLinks: false"))
    text = render_text(ONE_NODE, chart=chart)
    assert "# Another word." in text
    assert Rendered(text).revision() == one_node.revision()


def test_numbers_may_come_as_floats_as_pulumi_sends_them(two_nodes: Rendered) -> None:
    floats = with_value(with_value(TWO_NODES, "tensorParallelSize", 8.0), "startup.budgetSeconds", 2400.0)
    assert revision_of(floats) == two_nodes.revision()


# --- what is refused


OBJECTS = ("model", "placement", "resources", "startup", "readiness", "secrets", "recheck")


def refusal(values: dict[str, Any], *, release: str = "scout") -> str:
    done = run_helm("template", release, str(CHART), values=values)
    assert done.returncode != 0, "helm accepted the values"
    return done.stderr


def test_unknown_keys_are_refused_at_every_level() -> None:
    values = with_value(ONE_NODE, "replcas", 2)
    for name in OBJECTS:
        values = with_value(values, f"{name}.typo", "x")
    said = refusal(values)
    assert "additional properties 'replcas' not allowed" in said
    for name in OBJECTS:
        assert f"at '/{name}': additional properties 'typo' not allowed" in said


def test_values_without_a_default_are_required() -> None:
    said = refusal({})
    missing = ("image", "tensorParallelSize", "pipelineParallelSize", "vllmArgs", "placement", "weightsStorage")
    assert all(f"'{name}'" in said for name in missing)
    assert "at '/model': missing properties 'id', 'servedName'" in said
    assert "at '/startup': missing property 'budgetSeconds'" in said
    assert "at '/secrets': missing property 'apiKey'" in said
    assert "at '/resources': missing properties 'cpu', 'memory', 'ephemeralStorage'" in said


def test_defaults_need_not_be_given(one_node: Rendered) -> None:
    values = ONE_NODE
    for path in ("port", "replicas", "sharedMemory", "resources.efa", "secrets.huggingFaceToken", "model.revision"):
        values = without_value(values, path)
    assert revision_of(without_value(values, "recheck")) == one_node.revision()


def test_images_are_pinned_and_the_charts_own_flags_are_refused() -> None:
    values = {**ONE_NODE, "image": "vllm/vllm-openai:latest", "vllmArgs": ["--port=1", "--headless", "--max-num-seqs"]}
    said = refusal(with_value(values, "readiness.image", "localhost:5000/python"))
    for at in ("/image", "/readiness/image", "/vllmArgs/0", "/vllmArgs/1"):
        assert f"at '{at}'" in said
    assert "/vllmArgs/2" not in said


def test_a_release_name_too_long_for_its_pods_is_refused() -> None:
    said = refusal(ONE_NODE, release="m" * 41)
    assert "has 41 characters: use at most 40, because LeaderWorkerSet appends to it" in said


def test_helm_lint_has_no_complaint() -> None:
    done = run_helm("lint", "--strict", str(CHART), values=ONE_NODE)
    assert done.returncode == 0, done.stdout
