"""Passes the plan and the checks of a run of the program to listeners: the offline preview listens, Pulumi does not."""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from vllm_eks.check import Check
from vllm_eks.planner.search.gpu_nodes import GpuNodes
from vllm_eks.specs.network import FoundVpc


@dataclass(frozen=True, kw_only=True)
class PlannedStack:
    """The plan of a stack, before anything is created."""

    region: str
    fleet: Mapping[str, GpuNodes]
    """Each model's nodes, by the model's name."""
    checks: Sequence[Check]
    existing_vpc: FoundVpc | None
    """None if the stack creates its own VPC."""
    clients: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    """The named clients of each model, by the model's name. Empty if the stack has no named clients."""


_listeners: list[Callable[[PlannedStack], None]] = []


def publish(planned: PlannedStack) -> None:
    """Pass the plan to all listeners. The program calls this once, before its checks may stop it."""
    for listener in _listeners:
        listener(planned)


@contextmanager
def published_stacks() -> Generator[Sequence[PlannedStack]]:
    """Return a list to which plans are added when they are published within the block."""
    published: list[PlannedStack] = []
    _listeners.append(published.append)
    try:
        yield published
    finally:
        _listeners.remove(published.append)
