"""The network policies of metrics: who may reach the models' and the exporters' ports."""

import pulumi_kubernetes as kubernetes

from components.observability.monitors import leaders
from components.observability.names import METRICS_PORT, PROMETHEUS_PODS
from vllm_eks.specs.observability import MONITORING_NAMESPACE

PeerArgs = kubernetes.networking.v1.NetworkPolicyPeerArgs
IngressArgs = kubernetes.networking.v1.NetworkPolicyIngressRuleArgs
PolicyArgs = kubernetes.networking.v1.NetworkPolicySpecArgs
SelectorArgs = kubernetes.meta.v1.LabelSelectorArgs


def metrics_policy(model: str, prometheus_namespace: str) -> PolicyArgs:
    """Return the policy of a model: only Prometheus's pods reach the metrics of its leaders."""
    port = kubernetes.networking.v1.NetworkPolicyPortArgs(protocol="TCP", port=METRICS_PORT)
    return PolicyArgs(
        pod_selector=SelectorArgs(match_labels=leaders(model)),
        policy_types=["Ingress"],
        ingress=[IngressArgs(from_=[_prometheus(prometheus_namespace)], ports=[port])],
    )


def monitoring_policy(prometheus_namespace: str) -> PolicyArgs:
    """Return the policy of the stack's monitoring namespace: only its own pods, and Prometheus's if it is elsewhere.

    Grafana, Prometheus and Alertmanager are reached by `kubectl port-forward`, which comes from the pod's own node.
    """
    peers = [PeerArgs(pod_selector=SelectorArgs())]
    if prometheus_namespace != MONITORING_NAMESPACE:
        peers.append(_prometheus(prometheus_namespace))
    return PolicyArgs(pod_selector=SelectorArgs(), policy_types=["Ingress"], ingress=[IngressArgs(from_=peers)])


def _prometheus(namespace: str) -> PeerArgs:
    pods = kubernetes.meta.v1.LabelSelectorRequirementArgs(
        key=PROMETHEUS_PODS.key, operator="In", values=list(PROMETHEUS_PODS.values)
    )
    return PeerArgs(
        namespace_selector=SelectorArgs(match_labels={"kubernetes.io/metadata.name": namespace}),
        pod_selector=SelectorArgs(match_expressions=[pods]),
    )
