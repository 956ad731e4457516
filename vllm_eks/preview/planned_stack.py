"""What a run of the program planned and checked, for whoever runs it: the offline preview listens, Pulumi does not."""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from vllm_eks.check import Check
from vllm_eks.planner.search.gpu_nodes import GpuNodes
from vllm_eks.specs.network import FoundVpc


@dataclass(frozen=True, kw_only=True)
class PlannedStack:
    """The stack as planned, before anything is made."""

    region: str
    fleet: Mapping[str, GpuNodes]
    """Each model's nodes, by the model's name."""
    checks: Sequence[Check]
    existing_vpc: FoundVpc | None
    """None: the stack makes its own."""


_listeners: list[Callable[[PlannedStack], None]] = []


def publish(planned: PlannedStack) -> None:
    """Hand the plan to every listener; called once by the program, before its checks may stop it."""
    for listener in _listeners:
        listener(planned)


@contextmanager
def published_stacks() -> Generator[Sequence[PlannedStack]]:
    """Give the list that plans are added to as they are published within the block."""
    heard: list[PlannedStack] = []
    _listeners.append(heard.append)
    try:
        yield heard
    finally:
        _listeners.remove(heard.append)
