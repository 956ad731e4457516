"""Which of vLLM's two GPU model runners serves a model.

Source: config/vllm.py, use_v2_model_runner and DEFAULT_V2_MODEL_RUNNER_ARCHITECTURES, in the wheels of 0.21.0 to
0.33.0.
"""

from vllm_eks.planner.engine.versions import (
    CUDA_GRAPHS_IN_BUDGET,
    SECOND_RUNNER_COUNTS_GRAPHS,
    SECOND_RUNNER_FOR_ALL,
    SECOND_RUNNER_FOR_DENSE,
    SECOND_RUNNER_FOR_QUANTIZED,
)
from vllm_eks.planner.models.architecture import Architecture
from vllm_eks.planner.vllm_version import Version

SECOND_RUNNER_FIRST: dict[str, Version] = {
    "Qwen3ForCausalLM": (0, 22, 0),
    "LlamaForCausalLM": (0, 23, 0),
    "MistralForCausalLM": (0, 23, 0),
    "DeepseekV2ForCausalLM": (0, 24, 0),
    "Qwen2MoeForCausalLM": (0, 24, 0),
    "GraniteMoeForCausalLM": (0, 24, 0),
    "KimiK3ForConditionalGeneration": (0, 27, 0),
    "DeepseekV4ForCausalLM": (0, 28, 0),
}
"""The first version whose list of classes has this one."""


def uses_second_runner(model: Architecture, version: Version) -> bool:
    """Return whether this version serves the model with its second model runner by default."""
    if version >= SECOND_RUNNER_FOR_ALL:
        return True
    if version >= SECOND_RUNNER_FOR_DENSE and not model.experts and not model.has_states:
        return True
    since = SECOND_RUNNER_FIRST.get(model.name)
    if since is None or version < since:
        return False
    return version >= SECOND_RUNNER_FOR_QUANTIZED or not model.quantization.is_quantized


def counts_graphs(model: Architecture, version: Version) -> bool:
    """Return whether vLLM subtracts its estimate of the CUDA graphs before it sizes the KV cache."""
    if uses_second_runner(model, version):
        return version >= SECOND_RUNNER_COUNTS_GRAPHS
    return version >= CUDA_GRAPHS_IN_BUDGET
