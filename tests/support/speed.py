"""Speed models of locked models on catalogue types."""

from vllm_eks.planner.engine.options import ServingOptions, resolve
from vllm_eks.planner.hardware.instances import find_instance
from vllm_eks.planner.memory.stages import build_layout
from vllm_eks.planner.models.known_models import find_model
from vllm_eks.planner.speed.model import SpeedModel


def speed_of(
    model_id: str, instance_type: str, *, tensor: int = 1, pipeline: int = 1, measured_step_factor: float = 1.0
) -> SpeedModel:
    """Return the speed model of a locked model with default options otherwise."""
    model, instance = find_model(model_id), find_instance(instance_type)
    wanted = ServingOptions(measured_step_factor=measured_step_factor)
    options = resolve(wanted, instance, context_limit_tokens=model.architecture.context_tokens)
    layout = build_layout(model, instance, options, tensor_parallel_size=tensor, pipeline_parallel_size=pipeline)
    speed = SpeedModel.build(model, instance, layout, options)
    assert speed is not None
    return speed
