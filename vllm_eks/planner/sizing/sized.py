"""A number of replicas for a load, and what a replay says about them."""

from dataclasses import dataclass

from vllm_eks.planner.load.replayed import Replay
from vllm_eks.planner.load.service_level import ServiceLevel
from vllm_eks.planner.load.traffic import Traffic
from vllm_eks.planner.search.plan import Plan
from vllm_eks.planner.search.throughput import usd_per_million_tokens
from vllm_eks.planner.sizing.candidates import Class
from vllm_eks.planner.sizing.replica import LOAD, Pressed, Replica
from vllm_eks.planner.speed.evidence import LABELS

Rank = tuple[Class, float, int, int, float, str, int]


@dataclass(frozen=True, kw_only=True)
class LoadLimit:
    """What keeps a replica from a larger load."""

    broken: str | None
    """The limit of the service level that breaks first, such as `TTFT p90`, or None if the queue grows before."""
    pressed: Pressed
    """What is used up first then."""


@dataclass(frozen=True, kw_only=True)
class SizedPlan:
    """A number of replicas that serve the load, and what a replay says about them."""

    plan: Plan
    """With its replicas."""
    replica: Replica
    """One replica, with its speed and replays."""
    load_per_replica: float
    largest_load: float
    """Of one replica, within the service level."""
    at_load: Replay
    """One replica at its share of the load, or at a larger load if that has better latencies by chance."""
    limit: LoadLimit
    group: Class

    @property
    def rank(self) -> Rank:
        """The order of the answer: sure, one node for each replica and measured memory first, then the price.

        At the same price, fewer nodes, the better known speed, and the larger load are first.
        """
        return (
            self.group,
            self.plan.total_nodes * self.plan.instance.ranking_usd_per_hour,
            self.plan.total_nodes,
            LABELS.index(self.replica.speed.evidence.label),
            -self.total_largest_load,
            self.plan.instance.type,
            self.plan.ranks,
        )

    @property
    def total_largest_load(self) -> float:
        """The largest load of all replicas together."""
        return self.largest_load * self.plan.replicas

    @property
    def output_tokens_per_second(self) -> float:
        """Output tokens of all replicas at the load."""
        if self.replica.traffic.is_open:
            per_request = self.replica.traffic.lengths.output.tokens
            return self.load_per_replica * self.plan.replicas * per_request
        seen = self.replica.at(self.load_per_replica)
        return seen.output_tokens_per_second * self.plan.replicas

    @property
    def full_output_tokens_per_second(self) -> float:
        """Output tokens of all replicas at the largest load."""
        if self.replica.traffic.is_open:
            return self.total_largest_load * self.replica.traffic.lengths.output.tokens
        return self.replica.at(self.largest_load).output_tokens_per_second * self.plan.replicas

    @property
    def full_requests_per_second(self) -> float:
        """Requests of all replicas at the largest load."""
        if self.replica.traffic.is_open:
            return self.total_largest_load
        return self.replica.at(self.largest_load).requests_per_second * self.plan.replicas

    def usd_per_million_tokens(self, tokens_per_second: float) -> float | None:
        """Return the price of a million output tokens at a rate, or None when the price is unknown."""
        usd = self.plan.usd_per_hour
        return usd_per_million_tokens(usd, tokens_per_second) if usd is not None and tokens_per_second else None


def sized_plan(
    plan: Plan,
    replica: Replica,
    traffic: Traffic,
    level: ServiceLevel,
    group: Class,
    *,
    largest_load: float,
    broken_load: float,
) -> SizedPlan:
    """Return what a load sees on the replicas of a plan.

    Args:
        plan: The plan, with its replicas.
        replica: One replica.
        traffic: The load of all replicas.
        level: The service level.
        group: What counts before the price.
        largest_load: The largest load of one replica within the service level.
        broken_load: A larger load that is not within it, or that no replica serves.
    """
    share = traffic.load / plan.replicas
    seen = replica.at(share)
    if share <= largest_load and replica.broken(seen, level):
        # By chance, a smaller load has a few slow requests more: show a load above it, which meets the level.
        kept = (one for load, one in replica.replays.items() if load >= share and not replica.broken(one, level))
        seen = next(kept, seen)
    return SizedPlan(
        plan=plan,
        replica=replica,
        load_per_replica=share,
        largest_load=largest_load,
        at_load=seen,
        limit=_limit(replica, largest_load, broken_load, level),
        group=group,
    )


def _limit(replica: Replica, largest_load: float, broken_load: float, level: ServiceLevel) -> LoadLimit:
    above = (one for load, one in replica.replays.items() if load > largest_load and replica.broken(one, level))
    # The closed form may have excluded the loads above without a replay.
    first = next(above, None) or replica.at(broken_load)
    broken = replica.broken(first, level)
    if not broken:
        return LoadLimit(broken=None, pressed=replica.pressed(replica.at(largest_load)))
    return LoadLimit(broken=None if broken == LOAD else broken, pressed=replica.pressed(first))
