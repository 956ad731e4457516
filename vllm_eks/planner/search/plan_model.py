"""The plan of one model on one instance type, with its notes and warnings, or with suggestions."""

from dataclasses import replace

from vllm_eks.planner.engine.options import ServingOptions
from vllm_eks.planner.hardware.instances import InstanceType
from vllm_eks.planner.models.known_models import ModelFacts
from vllm_eks.planner.search.cheapest import within_nodes
from vllm_eks.planner.search.layouts import try_layouts
from vllm_eks.planner.search.notes import notes_on
from vllm_eks.planner.search.plan import Plan
from vllm_eks.planner.search.plan_warnings import warnings_on


def plan(
    model: ModelFacts, instance: InstanceType, options: ServingOptions | None = None, *, max_nodes: int | None = None
) -> Plan:
    """Return the plan of a model on an instance type, with notes and warnings, or with suggestions when it is refused.

    Raises:
        WrongQuestion: The options are invalid (an unsupported version, sizes below 1).
    """
    requested = options or ServingOptions()
    result = within_nodes(try_layouts(model, instance, requested, report_every_layout=True), max_nodes)
    if result.fits:
        return replace(result, notes=tuple(notes_on(result, requested)), warnings=tuple(warnings_on(result, requested)))
    # Imported here, because only a refusal needs it.
    from vllm_eks.planner.search.suggest import suggestions_for

    return replace(
        result, suggestions=tuple(one.text for one in suggestions_for(result, requested, max_nodes=max_nodes))
    )
