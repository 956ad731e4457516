"""Idle GPUs across the models of a stack. Models never share nodes, however few GPUs each uses."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from vllm_eks.planner.search.gpu_nodes import GpuNodes


def shared_node_warnings(fleet: Mapping[str, GpuNodes]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield groups of models whose pods would fit on fewer shared nodes, with a message that has both prices.

    Compares models with the same instance type, zones and capacity type, and one node for each replica.
    """
    alike: dict[tuple[object, ...], list[str]] = defaultdict(list)
    for name, nodes in fleet.items():
        if not nodes.parked and nodes.plan.fits and nodes.plan.nodes_per_replica == 1:
            alike[nodes.plan.instance.type, nodes.zones, nodes.capacity_type].append(name)
    for names in alike.values():
        members = [fleet[name] for name in names]
        apart = sum(nodes.total for nodes in members)
        together = len(members[0].zones) * _nodes_for([pod for nodes in members for pod in _pods(nodes)], members[0])
        if len(names) > 1 and together < apart:
            instance = members[0].plan.instance
            idle = sum(nodes.plan.idle_gpus for nodes in members)
            yield (
                tuple(names),
                f"{' and '.join(names)} use separate nodes, {_machines(apart, members[0])} with {idle} of "
                f"{apart * instance.gpus} GPUs idle, although {_machines(together, members[0])} would hold them: "
                "models do not share nodes. Choose a type with fewer GPUs, or more replicas",
            )


def _pods(nodes: GpuNodes) -> list[int]:
    """Return the GPUs of each pod in one zone."""
    plan = nodes.plan
    return [plan.gpus_per_pod] * (plan.replicas // plan.zones)


def _nodes_for(pods: list[int], nodes: GpuNodes) -> int:
    """Return the number of nodes that hold these pods, with the largest pods placed first."""
    free: list[int] = []
    for gpus in sorted(pods, reverse=True):
        place = next((index for index, room in enumerate(free) if room >= gpus), None)
        if place is None:
            free.append(nodes.plan.instance.gpus - gpus)
        else:
            free[place] -= gpus
    return len(free)


def _machines(count: int, nodes: GpuNodes) -> str:
    price = nodes.plan.instance.usd_per_hour
    return f"{count} x {nodes.plan.instance.type} ({'price unknown' if price is None else f'${count * price:.2f}/h'})"
