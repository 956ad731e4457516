"""NetworkPolicies: all traffic is denied except what is needed."""

from typing import Any

import pytest

from tests.support.chart_rendering import Rendered, model_values, render_text, tool

pytestmark = pytest.mark.skipif(tool("helm") is None, reason="helm is neither on PATH nor in $KUBE_LAB/bin")

GROUP = {"leaderworkerset.sigs.k8s.io/name": "scout"}
LEADERS = {**GROUP, "leaderworkerset.sigs.k8s.io/worker-index": "0"}
READY = {"app.kubernetes.io/instance": "scout", "app.kubernetes.io/component": "ready"}
HTTPS = [{"protocol": "TCP", "port": 443}]
SERVING = [{"protocol": "TCP", "port": 9000}]
ANYWHERE = [{"ipBlock": {"cidr": "0.0.0.0/0"}}]


def policies(**values: Any) -> dict[str, dict[str, Any]]:
    rendered = Rendered(render_text(model_values(tensor=8, pipeline=2, port=9000, **values)))
    return {one["metadata"]["name"]: one["spec"] for one in rendered.objects if one["kind"] == "NetworkPolicy"}


@pytest.fixture(scope="module")
def shut() -> dict[str, dict[str, Any]]:
    return policies()


def test_the_namespace_has_exactly_these_policies(shut: dict[str, Any]) -> None:
    assert set(shut) == {"scout-deny", "scout-dns", "scout-group", "scout-clients", "scout-ready"}


def test_by_default_pods_have_no_traffic(shut: dict[str, Any]) -> None:
    assert shut["scout-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_dns_is_only_allowed_to_the_cluster_s_own_dns(shut: dict[str, Any]) -> None:
    (hole,) = shut["scout-dns"]["egress"]
    assert hole["to"] == [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
            "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
        }
    ]
    assert hole["ports"] == [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]
    assert shut["scout-dns"]["podSelector"] == {}


def test_the_pods_of_the_model_talk_to_each_other_and_to_the_hub(shut: dict[str, Any]) -> None:
    own = [{"podSelector": {"matchLabels": GROUP}}]
    assert shut["scout-group"] == {
        "podSelector": {"matchLabels": GROUP},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [{"from": own}],
        "egress": [{"to": own}, {"to": ANYWHERE, "ports": HTTPS}],
    }


def test_clients_reach_only_the_leaders_port(shut: dict[str, Any]) -> None:
    assert shut["scout-clients"] == {
        "podSelector": {"matchLabels": LEADERS},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [{"podSelector": {"matchLabels": READY}}, {"namespaceSelector": {}}], "ports": SERVING}],
    }


def test_client_namespaces_exclude_all_others_except_the_hook_job() -> None:
    (hole,) = policies(clientNamespaces=["team-a", "team-b"])["scout-clients"]["ingress"]
    values = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["team-a", "team-b"]}
    assert hole["from"] == [
        {"podSelector": {"matchLabels": READY}},
        {"namespaceSelector": {"matchExpressions": [values]}},
    ]


def test_the_hook_job_reaches_the_api_server_and_the_leaders(shut: dict[str, Any]) -> None:
    assert shut["scout-ready"] == {
        "podSelector": {"matchLabels": READY},
        "policyTypes": ["Egress"],
        "egress": [
            {"to": ANYWHERE, "ports": HTTPS},
            {"to": [{"podSelector": {"matchLabels": LEADERS}}], "ports": SERVING},
        ],
    }


def test_the_hook_job_s_pod_has_the_labels_that_its_policies_select() -> None:
    job = Rendered(render_text(model_values())).one("Job")
    assert READY.items() <= job["spec"]["template"]["metadata"]["labels"].items()


def test_another_client_namespace_restarts_no_pod() -> None:
    revisions = {
        Rendered(render_text(model_values(clientNamespaces=clients))).revision() for clients in ([], ["team-a"])
    }
    assert len(revisions) == 1
