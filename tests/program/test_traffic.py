"""Who gets in to the pods of both models of the guide, with a load balancer, metrics and `clientNamespaces`.

All NetworkPolicies of the stack are read together, those of the chart and those that the program registers, for each
pair of a likely source and a pod. Traffic from a pod's own node is always allowed, and not part of this.
"""

from collections.abc import Iterator, Mapping
from ipaddress import ip_network

import pytest

from components.network.subnets import private_subnet_cidr, public_subnet_cidr
from tests.program.security_stacks import Stack
from tests.support.chart_rendering import Rendered, tool
from tests.support.guide_models import FRONT_DOOR, FULL, QUANTIZED, record_guide_models
from tests.support.monitoring import RENDERS
from tests.support.network_policies import Party, Policies
from vllm_eks.specs.endpoint import Scheme

pytestmark = pytest.mark.skipif(tool("helm") is None, reason="helm is neither on PATH nor in $KUBE_LAB/bin")

VPC, ZONE = "10.0.0.0/16", "us-west-2a"
API, METRICS = 8000, 8001
OTHERS = (22, 5000, 29_500, 49_152)
"""The distributed executor's and NCCL's ports are any that are free."""
LEADER, WORKER, HOOK = "the leader", "the worker", "the hook Job"
STRANGER, CLIENT, GUEST = "another pod of the namespace", "a pod of clientNamespaces", "a pod of another namespace"
PROMETHEUS, AGENT = "Prometheus", "the agent"
BALANCER = "the load balancer"
MONITORING = {
    name.partition(" ")[2]: pod["labels"]
    for render in ("installed", "dcgm", "blackbox")
    for name, pod in RENDERS[render]["pods"].items()
}
"""The pods of the charts for metrics."""
OUTSIDE = {"an address of the VPC without pods": "10.0.200.9", "an address on the internet": "198.51.100.7"}
PRIVATE, PUBLIC = private_subnet_cidr(VPC, ZONE), public_subnet_cidr(VPC, ZONE)


def address(subnet: str, number: int) -> str:
    return str(ip_network(subnet)[number])


def pod(namespace: str, labels: Mapping[str, str], ports: Mapping[str, int] | None = None) -> Party:
    return Party(address=address(PRIVATE, 77), namespace=namespace, labels=labels, ports=ports or {})


def own_pods(chart: Rendered) -> Iterator[tuple[str, Party]]:
    """Yield a model's pods: with the labels of their templates, and those that LeaderWorkerSet adds
    (kubernetes-sigs/lws 0.10.0, pkg/webhooks/pod_webhook.go)."""
    group = chart.one("LeaderWorkerSet")
    name, namespace = group["metadata"]["name"], group["metadata"]["namespace"]
    for role, index in ((LEADER, 0), (WORKER, 1)):
        if index < group["spec"]["leaderWorkerTemplate"]["size"]:
            kind = "worker" if index else "leader"
            ports = {one["name"]: one["containerPort"] for one in chart.container(kind).get("ports", [])}
            added = {"name": name, "group-index": "0", "worker-index": str(index)}
            own = {f"leaderworkerset.sigs.k8s.io/{key}": value for key, value in added.items()}
            yield role, pod(namespace, chart.template(kind)["metadata"]["labels"] | own, ports)
    yield HOOK, pod(namespace, chart.one("Job")["spec"]["template"]["metadata"]["labels"])
    yield STRANGER, pod(namespace, {"app": "stranger"})


def pods_of(stack: Stack) -> dict[str, dict[str, Party]]:
    return {chart.one("LeaderWorkerSet")["metadata"]["name"]: dict(own_pods(chart)) for chart in stack.charts}


def all_sources(own: Mapping[str, Party], other_leader: Party, balancer: str) -> dict[str, Party]:
    """All who may try: the model's own pods, those of the cluster, and addresses."""
    prometheus = {"app.kubernetes.io/name": "prometheus"}
    return {
        **own,
        "the leader of the other model": other_leader,
        CLIENT: pod("team-a", {"app": "chat"}),
        GUEST: pod("default", {"app": "chat"}),
        PROMETHEUS: pod("monitoring-system", prometheus),
        AGENT: pod("monitoring-system", {"app.kubernetes.io/name": "prometheus-agent"}),
        "a pod of another namespace that is called Prometheus": pod("default", prometheus),
        **{name: pod("monitoring-system", labels) for name, labels in MONITORING.items()},
        "the controller of groups": pod("lws-system", {"control-plane": "controller-manager"}),
        "the controller of the load balancer": pod("kube-system", {"app.kubernetes.io/name": "aws-load-balancer"}),
        BALANCER: Party(address=address(balancer, 9)),
        **{name: Party(address=ip) for name, ip in OUTSIDE.items()},
    }


@pytest.fixture(scope="module")
def stack_of(tmp_path_factory: pytest.TempPathFactory) -> dict[Scheme, Stack]:
    clients = {"clientNamespaces": ["team-a"]}
    return {
        scheme: Stack(
            record_guide_models(
                tmp_path_factory.mktemp("guide"),
                model=clients,
                endpoint={**FRONT_DOOR, "scheme": scheme},
                observability={"prometheus": "install"},
            )
        )
        for scheme in ("internal", "internetFacing")
    }


@pytest.mark.parametrize("model", [QUANTIZED, FULL])
@pytest.mark.parametrize("scheme", ["internetFacing", "internal"])
def test_the_monitor_the_load_balancer_and_clients_get_in_and_no_others(
    stack_of: dict[Scheme, Stack], scheme: Scheme, model: str
) -> None:
    stack = stack_of[scheme]
    policies = Policies(stack.kind("NetworkPolicy"))
    pods = pods_of(stack)
    own, (other,) = pods.pop(model), pods.values()
    sources = all_sources(own, other[LEADER], PUBLIC if scheme == "internetFacing" else PRIVATE)
    group = {LEADER, WORKER} & own.keys()
    assert group == ({LEADER, WORKER} if model == FULL else {LEADER})

    def let_in(target: str, port: int, protocol: str = "TCP") -> set[str]:
        return {name for name, source in sources.items() if policies.lets_in(own[target], source, port, protocol)}

    # An internal load balancer shares its subnets with the pods, so its hole is theirs too (security.md).
    in_its_subnets = set() if scheme == "internetFacing" else sources.keys() - OUTSIDE.keys()
    assert let_in(LEADER, API) == {*group, HOOK, CLIENT, BALANCER} | in_its_subnets
    assert let_in(LEADER, METRICS) == {*group, PROMETHEUS, AGENT}
    for port in OTHERS:
        assert let_in(LEADER, port) == group
    for port in (API, METRICS, *OTHERS):
        assert all(let_in(member, port) == group for member in group - {LEADER})
        assert let_in(HOOK, port) == let_in(STRANGER, port) == set()
        assert let_in(LEADER, port, "UDP") == group


@pytest.mark.parametrize("model", [QUANTIZED, FULL])
def test_those_who_are_let_in_may_also_send(stack_of: dict[Scheme, Stack], model: str) -> None:
    stack = stack_of["internetFacing"]
    policies = Policies(stack.kind("NetworkPolicy"))
    own = pods_of(stack)[model]
    sources = all_sources(own, own[LEADER], PUBLIC)

    for port in (API, METRICS, *OTHERS):
        may = {name for name in (HOOK, STRANGER, LEADER) if policies.lets_out(own[name], own[LEADER], port)}
        assert may == {LEADER, *({HOOK} if port == API else ())}
    assert all(policies.lets_out(sources[name], own[LEADER], METRICS) for name in (PROMETHEUS, AGENT))


def test_only_pods_of_the_same_namespace_reach_the_exporters_and_grafana(stack_of: dict[Scheme, Stack]) -> None:
    stack = stack_of["internetFacing"]
    policies = Policies(stack.kind("NetworkPolicy"))
    own, other = pods_of(stack).values()
    sources = all_sources(own, other[LEADER], PUBLIC)

    for labels in MONITORING.values():
        target = pod("monitoring-system", labels)
        let_in = {name for name, source in sources.items() if policies.lets_in(target, source, 9400)}
        assert let_in == {PROMETHEUS, AGENT, *MONITORING}
