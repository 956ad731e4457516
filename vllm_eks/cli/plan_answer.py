"""The answer of `vllm-eks plan`: one plan, or a comparison, as text or JSON."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vllm_eks.cli.views.plan_json import model_json, plan_json
from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.engine.options import ServingOptions
from vllm_eks.planner.hardware.instance_files import read_instance_file
from vllm_eks.planner.hardware.instances import InstanceType, find_instance
from vllm_eks.planner.models.known_models import ModelFacts
from vllm_eks.planner.search.compare import (
    Order,
    compare,
    nothing_fits_lines,
    recommended,
    without_driver,
)
from vllm_eks.planner.search.named_models import load_model
from vllm_eks.planner.search.plan import Plan
from vllm_eks.planner.search.plan_model import plan

FITS, DOES_NOT_FIT = 0, 3


@dataclass(frozen=True, kw_only=True, eq=False)
class PlanRequest:
    """The arguments of `vllm-eks plan`."""

    model: str
    """A locked ID, or a folder with a config.json."""
    instance_type: str | None
    instance_file: Path | None
    region: str
    options: ServingOptions
    order: Order = "recommended"
    """The order of the comparison."""
    max_nodes: int | None = None


def run_plan(request: PlanRequest, *, as_json: bool) -> int:
    """Print the plan of a model and return the exit status.

    Raises:
        WrongQuestion: An unknown model or type, both --instance-type and --instance-file, or invalid options.
    """
    if request.instance_type and request.instance_file:
        raise WrongQuestion("use either --instance-type or --instance-file, not both")
    model = load_model(request.model)
    instance = read_instance_file(request.instance_file) if request.instance_file else None
    if request.instance_type:
        instance = find_instance(request.instance_type, request.region)
    if instance is None:
        return _compare(model, request, as_json=as_json)
    return _plan_one(model, instance, request, as_json=as_json)


def _plan_one(model: ModelFacts, instance: InstanceType, request: PlanRequest, *, as_json: bool) -> int:
    result = without_driver(plan(model, instance, request.options, max_nodes=request.max_nodes))
    if as_json:
        print(json.dumps(plan_json(result), indent=2))
    if result.fits and as_json:
        return FITS
    # Imported here, because --json does not need it.
    from vllm_eks.cli.views.plan import show_plan, show_refusal

    if not result.fits:
        show_refusal(result, sys.stderr)
        return DOES_NOT_FIT
    show_plan(result, region=request.region)
    return FITS


def _compare(model: ModelFacts, request: PlanRequest, *, as_json: bool) -> int:
    plans = compare(model, request.options, request.region, order=request.order, max_nodes=request.max_nodes)
    best = recommended(plans, request.options)
    if as_json:
        _print_candidates(model, plans, best)
    elif any(p.fits for p in plans):
        from vllm_eks.cli.views.comparison import show_comparison

        show_comparison(model, plans, best=best, order=request.order, region=request.region)
    if any(p.fits for p in plans):
        return FITS
    print(f"{model.id} fits no instance type in the catalogue:", file=sys.stderr)
    for line in nothing_fits_lines(plans, request.options, max_nodes=request.max_nodes):
        print(f"  {line}", file=sys.stderr)
    return DOES_NOT_FIT


def _print_candidates(model: ModelFacts, plans: Sequence[Plan], best: Plan | None) -> None:
    """Print the comparison as one JSON object, with a line for each candidate, because indenting all takes as long as
    a tenth of the answer."""
    head = json.dumps({"model": model_json(model), "recommended": best.instance.type if best else None})
    candidates = ",\n".join(json.dumps(plan_json(one)) for one in plans)
    print(f'{head[:-1]}, "candidates": [\n{candidates}\n]}}')
