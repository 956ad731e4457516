"""Finds multi-node plans in the catalogue that need fewer nodes with a smaller batch: `make spared-nodes`. There are
none."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from vllm_eks.planner.engine.options import ServingOptions
from vllm_eks.planner.hardware.instances import InstanceType, catalogue
from vllm_eks.planner.models.known_models import ModelFacts, find_model
from vllm_eks.planner.models.lock_folders import locked_model_ids
from vllm_eks.planner.search.layouts import try_layouts
from vllm_eks.planner.search.plan import Plan

SMALLER = ((256, 2048), (128, 2048), (64, 2048), (32, 2048), (32, 1024), (32, 512))
"""--max-num-seqs and --max-num-batched-tokens, as a user would try them."""


@dataclass(frozen=True)
class Spared:
    """A plan with defaults, and one with a smaller batch that needs fewer nodes."""

    planned: Plan
    smaller: Plan

    @property
    def text(self) -> str:
        options = self.smaller.options
        return (
            f"{self.planned.model.id} on {self.planned.total_nodes} x {self.planned.instance.type}: "
            f"{self.smaller.total_nodes} with --max-num-seqs {options.max_num_seqs} --max-num-batched-tokens "
            f"{options.max_num_batched_tokens}"
        )


def multi_node_plans(models: Iterable[ModelFacts], instances: Iterable[InstanceType]) -> Iterator[Plan]:
    """Yield each plan with defaults whose replica needs several nodes."""
    types = list(instances)
    for model in models:
        for instance in types:
            planned = try_layouts(model, instance, ServingOptions())
            if planned.fits and planned.nodes_per_replica > 1:
                yield planned


def spared(planned: Plan) -> Spared | None:
    """Return the same plan with a smaller batch on fewer nodes, or None if no batch needs fewer."""
    for seqs, tokens in SMALLER:
        asked = ServingOptions(
            max_num_seqs=seqs, max_num_batched_tokens=tokens, max_model_len=planned.default_context_tokens
        )
        smaller = try_layouts(planned.model, planned.instance, asked)
        if smaller.fits and smaller.total_nodes < planned.total_nodes:
            return Spared(planned, smaller)
    return None


def main() -> None:
    """Print each plan that needs fewer nodes with a smaller batch, and how many were tried."""
    plans = list(multi_node_plans(map(find_model, locked_model_ids()), catalogue().values()))
    found = [one for one in map(spared, plans) if one]
    for one in found:
        print(one.text)
    print(f"{len(plans)} multi-node plans of the catalogue: a smaller batch spares {len(found)} of them nodes (none)")


if __name__ == "__main__":
    main()
