"""Who may connect to whom, by Kubernetes' reading of NetworkPolicies.

The rules are those of the API reference (networking.k8s.io/v1). Policies add up: a pod that one selects for a direction
accepts only what some policy of that direction allows. An ipBlock is also about the addresses of pods, because the VPC
CNI compares only addresses (aws/aws-network-policy-agent, pkg/ebpf/c/tc.v4ingress.bpf.c).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any, Literal

Direction = Literal["Ingress", "Egress"]
PEERS: Mapping[Direction, str] = {"Ingress": "from", "Egress": "to"}
NAMESPACE_NAME = "kubernetes.io/metadata.name"
"""The API server gives every namespace this label with its name."""


@dataclass(frozen=True, kw_only=True)
class Party:
    """A pod, or an address outside the cluster, which has no namespace and no labels."""

    address: str
    namespace: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    ports: Mapping[str, int] = field(default_factory=dict[str, int])
    """The named ports of its containers."""


@dataclass(frozen=True)
class _Asked:
    port: int
    protocol: str
    names: Mapping[str, int]

    def is_in(self, allowed: Mapping[str, Any]) -> bool:
        """Return whether a port of a rule is this one. A name is that of a port of the pod that is connected to."""
        first = allowed.get("port", self.port)
        if isinstance(first, str):
            first = self.names.get(first, -1)
        return allowed.get("protocol", "TCP") == self.protocol and first <= self.port <= allowed.get("endPort", first)


@dataclass(frozen=True)
class Policies:
    """All NetworkPolicies of a cluster, as the API server has them."""

    objects: Sequence[Mapping[str, Any]]

    def lets_in(self, target: Party, source: Party, port: int, protocol: str = "TCP") -> bool:
        """Return whether the target accepts a connection from the source."""
        return self._allow("Ingress", target, source, _Asked(port, protocol, target.ports))

    def lets_out(self, source: Party, target: Party, port: int, protocol: str = "TCP") -> bool:
        """Return whether the source may connect to the target, as far as its own policies tell."""
        return self._allow("Egress", source, target, _Asked(port, protocol, target.ports))

    def _allow(self, direction: Direction, own: Party, peer: Party, asked: "_Asked") -> bool:
        found = [one for one in self.objects if _selects(one, own) and direction in _directions(one["spec"])]
        rules = [(one, rule) for one in found for rule in one["spec"].get(direction.lower()) or []]
        return not found or any(
            _is_peer(rule.get(PEERS[direction]), peer, one["metadata"]["namespace"])
            and (not rule.get("ports") or any(map(asked.is_in, rule["ports"])))
            for one, rule in rules
        )


def _selects(policy: Mapping[str, Any], pod: Party) -> bool:
    same_namespace = policy["metadata"]["namespace"] == pod.namespace
    return same_namespace and matches(policy["spec"]["podSelector"], pod.labels)


def _directions(spec: Mapping[str, Any]) -> Sequence[str]:
    return spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])]


def _is_peer(peers: Sequence[Mapping[str, Any]] | None, party: Party, namespace: str) -> bool:
    """Return whether a rule of a policy in the namespace is about the party. Without peers it is about all."""
    return not peers or any(_is_one_peer(one, party, namespace) for one in peers)


def _is_one_peer(peer: Mapping[str, Any], party: Party, namespace: str) -> bool:
    if block := peer.get("ipBlock"):
        address = ip_address(party.address)
        excepted = any(address in ip_network(one) for one in block.get("except") or [])
        return address in ip_network(block["cidr"]) and not excepted
    if party.namespace is None:
        return False
    selector = peer.get("namespaceSelector")
    if selector is None:
        right_namespace = party.namespace == namespace
    else:
        right_namespace = matches(selector, {NAMESPACE_NAME: party.namespace})
    return right_namespace and matches(peer.get("podSelector") or {}, party.labels)


def matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Return whether a label selector matches. An empty one matches everything."""
    exact = selector.get("matchLabels") or {}
    return all(labels.get(key) == value for key, value in exact.items()) and all(
        _meets(one, labels) for one in selector.get("matchExpressions") or []
    )


def _meets(requirement: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = requirement["key"], requirement.get("values") or []
    match requirement["operator"]:
        case "In":
            return key in labels and labels[key] in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case other:
            raise ValueError(f"no operator of a label selector: {other!r}")
