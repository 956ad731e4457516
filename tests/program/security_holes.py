"""NetworkPolicies as rows of the table in docs/explanation/security.md."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from components.network.subnets import public_subnet_cidr
from tests.program.security_stacks import PAGE, Stack

Hole = tuple[str, str, str, str]
"""Who, to, port, rule: with the words of the page."""
TABLE = PAGE.partition("## Allowed traffic")[2]
NO_POLICY: Hole = ("the node itself", "its pods", "all", "none")
NAME, INDEX = "leaderworkerset.sigs.k8s.io/name", "leaderworkerset.sigs.k8s.io/worker-index"
BLOCKS = {"0.0.0.0/0": "anywhere", "169.254.170.23/32": "the node's Pod Identity agent"}
PUBLIC_SUBNETS = {public_subnet_cidr("10.0.0.0/16", f"us-west-2{letter}") for letter in "abc"}
DNS = {
    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
    "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
}

PROMETHEUS = {
    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring-system"}},
    "podSelector": {
        "matchExpressions": [
            {"key": "app.kubernetes.io/name", "operator": "In", "values": ["prometheus", "prometheus-agent"]}
        ]
    },
}


def told_holes() -> list[Hole]:
    """Return the rows of the page, one for each rule."""
    found = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \| [^|]+ \|$", TABLE, re.MULTILINE)
    rows = [one for one in found if one != ("who", "to", "port", "rule")]
    return [(who, to, port, rule) for who, to, port, rules in rows for rule in rules.split(", ")]


def holes(stack: Stack) -> Iterator[Hole]:
    """Yield what each NetworkPolicy of a stack allows. A policy that no row can describe is an AssertionError."""
    ports = [one for chart in stack.charts for one in chart.container("leader")["ports"]]
    names = {one["name"]: one["containerPort"] for one in ports}
    for policy in stack.kind("NetworkPolicy"):
        spec, namespace = policy["spec"], policy["metadata"]["namespace"]
        if namespace == "monitoring-system":
            continue  # the table is about the models' namespaces
        own = "the copy Job" if namespace.endswith("-weights") else _pods(spec["podSelector"])
        assert "egress" not in spec or "Egress" in spec["policyTypes"]
        assert "policyTypes" in spec
        for hole in spec.get("egress", []):
            for peer in hole.get("to", [None]):
                yield own, _peer(peer), _port(hole.get("ports", []), names), "out"
        for hole in spec.get("ingress", []):
            for peer in hole.get("from", [None]):
                yield _peer(peer), own, _port(hole.get("ports", []), names), "in"


def _peer(peer: Mapping[str, Any] | None) -> str:
    if peer is None:
        return "anywhere"
    if "ipBlock" in peer:
        assert peer["ipBlock"].keys() == {"cidr"}
        cidr = peer["ipBlock"]["cidr"]
        return "the load balancer's subnets" if cidr in PUBLIC_SUBNETS else BLOCKS[cidr]
    if peer == DNS:
        return "CoreDNS"
    if "namespaceSelector" not in peer:
        return _pods(peer["podSelector"])
    if peer == PROMETHEUS:
        return "pods of Prometheus"
    assert peer.keys() == {"namespaceSelector"}
    if peer["namespaceSelector"] == {}:
        return "every pod of the cluster"
    (rule,) = peer["namespaceSelector"]["matchExpressions"]
    assert (rule["key"], rule["operator"]) == ("kubernetes.io/metadata.name", "In")
    return "every pod of `clientNamespaces`"


def _pods(selector: Mapping[str, Any]) -> str:
    if selector == {}:
        return "every pod"
    assert selector.keys() == {"matchLabels"}
    labels = selector["matchLabels"]
    if labels.keys() == {NAME}:
        return "pods of the model"
    if labels.keys() == {NAME, INDEX}:
        assert labels[INDEX] == "0"
        return "leaders"
    assert labels["app.kubernetes.io/component"] == "ready"
    assert "app.kubernetes.io/instance" in labels
    return "the hook Job"


def _port(ports: Sequence[Mapping[str, Any]], names: Mapping[str, int]) -> str:
    if not ports:
        return "all"
    (number,) = {str(names.get(one["port"], one["port"])) for one in ports}
    assert not any("endPort" in one for one in ports)
    protocols = {one["protocol"] for one in ports}
    assert protocols in ({"TCP"}, {"TCP", "UDP"})
    return number if protocols == {"TCP"} else f"{number}, UDP too"
