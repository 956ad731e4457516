"""`vllm-eks plan`: one plan, or a comparison of every type of the catalogue."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from vllm_eks.cli.views.plan_json import model_json, plan_json
from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.engine.options import ServingOptions
from vllm_eks.planner.hardware.instances import InstanceType, find_instance, read_instance_file
from vllm_eks.planner.models.known_models import ModelFacts, load_model
from vllm_eks.planner.search.suggest import compare, nothing_fits_lines, plan

FITS, DOES_NOT_FIT = 0, 3


@dataclass(frozen=True, kw_only=True)
class Question:
    """What `vllm-eks plan` was asked."""

    model: str
    """A locked id, or a folder with a config.json."""
    instance_type: str | None
    instance_file: Path | None
    assume_dense: bool
    region: str
    options: ServingOptions


def run_plan(question: Question, *, as_json: bool) -> int:
    """Print the plan of a model and return the exit status.

    Raises:
        WrongQuestion: An unknown model or type, both kinds of type, or options that are no question.
    """
    if question.instance_type and question.instance_file:
        raise WrongQuestion("give either --instance-type or --instance-file, not both")
    model = load_model(question.model, assume_dense=question.assume_dense)
    instance = read_instance_file(question.instance_file) if question.instance_file else None
    if question.instance_type:
        instance = find_instance(question.instance_type, question.region)
    if instance is None:
        return _compare(model, question, as_json=as_json)
    return _plan_one(model, instance, question, as_json=as_json)


def _plan_one(model: ModelFacts, instance: InstanceType, question: Question, *, as_json: bool) -> int:
    result = plan(model, instance, question.options)
    if as_json:
        print(json.dumps(plan_json(result), indent=2))
    if result.fits and as_json:
        return FITS
    # Imported here: rich costs a quarter of the answer's time, and --json needs none of it.
    from vllm_eks.cli.views.plan import show_plan, show_refusal

    if not result.fits:
        show_refusal(result, sys.stderr)
        return DOES_NOT_FIT
    show_plan(result, region=question.region)
    return FITS


def _compare(model: ModelFacts, question: Question, *, as_json: bool) -> int:
    plans = compare(model, question.options, question.region)
    if as_json:
        print(json.dumps({"model": model_json(model), "candidates": [plan_json(p) for p in plans]}, indent=2))
    elif any(p.fits for p in plans):
        from vllm_eks.cli.views.comparison import show_comparison

        show_comparison(model, plans, region=question.region)
    if any(p.fits for p in plans):
        return FITS
    print(f"{model.id} fits no instance type of the catalogue:", file=sys.stderr)
    for line in nothing_fits_lines(model, plans, question.options):
        print(f"  {line}", file=sys.stderr)
    return DOES_NOT_FIT
