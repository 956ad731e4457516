"""Warnings about a stated load: what its requests would see on the planned machines, why, and what helps."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil

from vllm_eks.planner.hardware.instances import REFERENCE_REGION
from vllm_eks.planner.load.numbers import digits
from vllm_eks.planner.load.replayed import Replay
from vllm_eks.planner.load.service_level import NAMES, ServiceLevel, duration_in_words, written
from vllm_eks.planner.load.traffic import Traffic
from vllm_eks.planner.search.plan import Plan
from vllm_eks.planner.sizing.load_search import LoadSearch
from vllm_eks.planner.sizing.pressed import PRESSED
from vllm_eks.planner.sizing.replica import LOAD, Replica
from vllm_eks.planner.speed.model import SpeedModel


def with_load_warnings(plan: Plan, traffic: Traffic, level: ServiceLevel) -> Plan:
    """Return the plan with a warning for each limit that it does not keep at this load."""
    return replace(plan, warnings=(*plan.warnings, *load_warnings(plan, traffic, level)))


def load_warnings(plan: Plan, traffic: Traffic, level: ServiceLevel) -> Iterator[str]:
    """Yield a sentence for each limit that the machines of a plan do not keep at this load.

    Nothing is said about a plan that does not fit.
    """
    if not plan.fits or plan.layout is None:
        return
    longest = traffic.lengths.longest_request
    if longest > plan.options.max_model_len:
        yield (
            f"traffic: the longest request has {longest:,} tokens, and maxModelLen is {plan.options.max_model_len:,}: "
            "raise it, or state shorter requests"
        )
        return
    speed = SpeedModel.build(plan.model, plan.instance, plan.layout, plan.options)
    if speed is None:
        yield f"traffic: not checked, because the speed of this model on {plan.instance.type} is unknown"
        return
    replica = Replica(plan=replace(plan, replicas=1), speed=speed, traffic=traffic)
    yield from _Checked(plan=plan, replica=replica, traffic=traffic, level=level).warnings()


@dataclass(frozen=True, kw_only=True)
class _Checked:
    """A plan under a load."""

    plan: Plan
    replica: Replica
    traffic: Traffic
    level: ServiceLevel

    def warnings(self) -> Iterator[str]:
        load, at = self.traffic.load / self.plan.replicas, f"at {self.traffic.load_label}"
        # Far above capacity the queue grows without end, and its replay takes very long.
        seen = self.replica.at(load) if load <= self.replica.most_load else None
        if seen is None or self.replica.broken(seen, ServiceLevel()) == LOAD:
            machines = f"{self.plan.total_nodes} x {self.plan.instance.type}"
            yield f"{at} requests wait for each other: the load is above what {machines} can serve. {self._fix()}"
            return
        for name, limit in self.level.limits.items():
            reached, most = seen.percentile(name, limit.percentile), limit.seconds
            if reached > most:
                replicas_help = self.replica.over(self.replica.alone_seen, name, self.level) <= 1
                yield (
                    f"{at} {NAMES[name]} p{limit.percentile} is {duration_in_words(reached)}, over your "
                    f"{duration_in_words(most)} ({self.replica.speed.evidence.label}). {self._cause(seen)}"
                    f"{self._fix() if replicas_help else self._other_machines()}"
                )

    def _cause(self, seen: Replay) -> str:
        return f"What limits: {PRESSED[self.replica.pressed(seen)]}. "

    def _fix(self) -> str:
        """Return how many replicas keep the whole level, or that none do."""
        largest = LoadSearch(replica=self.replica, level=self.level).largest()
        if not largest:
            return self._other_machines()
        replicas = max(self.plan.replicas + 1, ceil(self.traffic.load / largest))
        nodes = replace(self.plan, replicas=replicas).total_nodes
        machines = f"{nodes:,} x {self.plan.instance.type}"
        return f"Set replicas to {replicas:,} ({machines}), or compare other machines: {self._size_command()}"

    def _other_machines(self) -> str:
        return f"More replicas do not help. Compare other machines: {self._size_command()}"

    def _size_command(self) -> str:
        traffic, lengths = self.traffic, self.traffic.lengths
        load = "--requests-per-second" if traffic.is_open else "--concurrent-users"
        words = [f"vllm-eks size {self.plan.model.id} {load} {digits(traffic.load)}"]
        if traffic.think_seconds:
            words.append(f"--think-time {written(traffic.think_seconds)}")
        words.append(f"--input {lengths.input.label} --output {lengths.output.label}")
        if traffic.shared_prefix_tokens:
            words.append(f"--shared-prefix {traffic.shared_prefix_tokens}")
        words += [f"--{name} {limit.label}" for name, limit in self.level.limits.items()]
        region = self.plan.instance.price_region
        if region and region != REFERENCE_REGION:
            words.append(f"--region {region}")
        return " ".join(words)
