"""The rows of docs/explanation/security.md met inside the cluster, checked on rendered and registered objects."""

import ast
import base64
import re
from collections.abc import Mapping
from typing import Any

from tests.program.security_checks import row
from tests.program.security_stacks import RELEASE, ROOT, ROWS, Stack

ROLES = {"leader", "worker", "ready", "copy-weights"}
"""All pod templates: two of each model, its hook Job, and the Job that copies weights."""


@row(33)
def pod_security(stack: Stack) -> None:
    assert {one["namespace"] for one in stack.all(RELEASE)} <= {*stack.namespaces, "kube-system"}
    for name, labels in stack.namespaces.items():
        modes = {key.rpartition("/")[2]: level for key, level in labels.items() if key.startswith("pod-security")}
        if name in ("lws-system", "monitoring-system"):
            assert modes == {"enforce": "baseline" if name == "lws-system" else "privileged"}
        else:
            assert name.startswith("vllm-")
            assert modes == dict.fromkeys(("enforce", "warn", "audit"), "restricted")


@row(34)
def network_policy(stack: Stack) -> None:
    options = stack.plane["vpcCniOptions"]
    assert options["enableNetworkPolicy"] is True
    assert "strict" not in str(options.get("configurationValues")), "row 34 says that the mode is standard"
    policies = stack.kind("NetworkPolicy")
    for namespace in stack.namespaces.keys() - {"lws-system", "monitoring-system"}:
        shut = [one["spec"] for one in policies if one["metadata"]["namespace"] == namespace]
        assert any(one["podSelector"] == {} and set(one["policyTypes"]) == {"Ingress", "Egress"} for one in shut)


@row(35)
def disruption(stack: Stack) -> None:
    for chart in stack.charts:
        budget, group = chart.one("PodDisruptionBudget")["spec"], chart.one("LeaderWorkerSet")
        assert budget["maxUnavailable"] == group["spec"]["leaderWorkerTemplate"]["size"], "one whole group"
        label = {"leaderworkerset.sigs.k8s.io/name": group["metadata"]["name"]}
        assert budget["selector"] == {"matchLabels": label}, "leaders and workers"
        assert group["spec"]["rolloutStrategy"]["rollingUpdateConfiguration"] == {"maxUnavailable": 1, "maxSurge": 0}
        command = chart.container("worker")["readinessProbe"]["exec"]["command"]
        assert "--host-from=LWS_LEADER_ADDRESS" in command
        assert command[3].endswith("alive.py")


@row(37)
def probes(stack: Stack) -> None:
    for chart in stack.charts:
        leader, worker = chart.container("leader"), chart.container("worker")
        assert leader["startupProbe"]["httpGet"]["path"] == "/health"
        for name in ("readinessProbe", "livenessProbe"):
            command = " ".join(leader[name]["exec"]["command"])
            assert re.search(r"/alive\.py .*--stall-seconds=[1-9]", command)
        assert "--enable-server-load-tracking" in leader["args"], "requests that are not counted yet"
        assert [name for name in worker if name.endswith("Probe")] == ["readinessProbe"]
        for one in (leader, worker):
            assert one["command"][3] == "/scripts/vllm_eks/pods/supervise.py"


@row(38)
def service_accounts(stack: Stack) -> None:
    accounts = stack.kind("ServiceAccount")
    assert accounts
    assert all(one["automountServiceAccountToken"] is False for one in accounts)
    named = {one["metadata"]["name"] for one in accounts}
    for who, spec in stack.pods:
        assert who in ROLES
        assert spec["serviceAccountName"] in named
        assert spec["automountServiceAccountToken"] is (who == "ready")
        assert not any("projected" in one for one in spec["volumes"]), "a token by another way"
    assert not stack.kind("ClusterRole")
    assert not stack.kind("ClusterRoleBinding")
    for one in stack.kind("Role"):
        allowed = {(thing, verb) for rule in one["rules"] for thing in rule["resources"] for verb in rule["verbs"]}
        assert allowed == {("leaderworkersets", "get"), ("pods", "list"), ("events", "list"), ("pods/log", "get")}
    for one in stack.kind("RoleBinding"):
        (subject,) = one["subjects"]
        assert subject["name"] == one["metadata"]["name"]
        assert subject["name"].endswith("-ready")


@row(39)
def secret_files(stack: Stack) -> None:
    secrets = stack.made("kubernetes:core/v1:Secret")
    for one in secrets:
        assert "data" not in one.inputs
        assert "stringData" in one.secret_paths, "a Pulumi secret"
    # The name of Grafana's user is no secret.
    contents = [text for one in secrets for key, text in one.inputs["stringData"].items() if key != "admin-user"]
    shown = [chart.text for chart in stack.charts]
    shown += [base64.b64decode(one.get("userData") or "").decode() for one in stack.templates.values()]
    assert not any(content in text for text in shown for content in contents)
    for _, container in stack.containers:
        assert "envFrom" not in container
        for entry in container.get("env", []):
            assert entry.get("valueFrom", {}).keys() <= {"fieldRef"}
    for who, spec in stack.pods:
        found = {one["name"]: one["secret"] for one in spec["volumes"] if "secret" in one}
        assert all(one["defaultMode"] == 0o440 for one in found.values())
        mounts = [one for part in spec["containers"] for one in part["volumeMounts"] if one["name"] in found]
        assert {one["name"] for one in mounts} == found.keys()
        assert all(one["readOnly"] for one in mounts)
        assert ("api-key" in found) is (who in ("leader", "ready"))
    wanted = {one["values"]["secrets"].get("huggingFaceToken") for one in stack.all(RELEASE) if _is_model(one)}
    for chart in stack.charts:
        for role in ("leader", "worker"):
            held = {one["secret"]["secretName"] for one in chart.template(role)["spec"]["volumes"] if "secret" in one}
            assert held & wanted == wanted - {None}, "the token, where the pods download by themselves"


@row(40)
def no_public_endpoint(stack: Stack) -> None:
    services = stack.kind("Service")
    assert services
    assert all(one["spec"].get("type", "ClusterIP") == "ClusterIP" for one in services)
    assert not any({"externalIPs", "externalName"} & one["spec"].keys() for one in services)
    for who, container in stack.containers:
        assert not any("hostPort" in port for port in container.get("ports", []))
        if who == "leader":
            flags, mounts = container["args"], {one["mountPath"] for one in container["volumeMounts"]}
            env = {one["name"]: one.get("value") for one in container["env"]}
            assert flags[flags.index("--middleware") + 1] == "vllm_eks_keys.ApiKeys"
            assert {env["PYTHONPATH"], env["API_KEYS_FOLDER"]} <= mounts
    # A worker serves no HTTP, and a group of one pod has no workers.
    for chart in stack.charts:
        if chart.one("LeaderWorkerSet")["spec"]["leaderWorkerTemplate"]["size"] > 1:
            assert "--headless" in chart.container("worker")["args"]
    assert open_paths("OPEN_PATHS") | open_paths("OWN_PATHS") == set(re.findall("`(/[a-z]+)`", ROWS[40][2]))
    opened = [
        rule["from"]
        for one in stack.kind("NetworkPolicy")
        for rule in one["spec"].get("ingress", [])
        for port in rule.get("ports", [])
        if port["port"] in (8001, "metrics")
    ]
    # With metrics, one hole a model, for Prometheus's pods alone (security_holes).
    assert len(opened) == (len(stack.charts) if "monitoring-system" in stack.namespaces else 0)


def open_paths(name: str) -> set[str]:
    """Return the paths that the chart's middleware serves without a key."""
    tree = ast.parse((ROOT / "charts" / "vllm" / "files" / "vllm_eks_keys.py").read_text())
    (value,) = [one.value for one in tree.body if isinstance(one, ast.Assign) and ast.unparse(one.targets[0]) == name]
    assert isinstance(value, ast.Call)
    return set(ast.literal_eval(value.args[0]))


def _is_model(release: Mapping[str, Any]) -> bool:
    return release["chart"].endswith("charts/vllm")
