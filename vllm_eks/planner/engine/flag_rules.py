"""What vLLM refuses of the counted flags, by model, GPU and layout: types of values, drafters, sizes of blocks.

Source: vllm/config/model.py (_check_valid_dtype), platforms/cuda.py (check_if_supports_dtype), config/speculative.py
and get_supported_act_dtypes of layers/quantization in 0.21.0, 0.27.0 and 0.32.0.
"""

from collections.abc import Iterator

from vllm_eks.planner.engine.engine_flags import AUTO, FLOAT32, EngineFlags
from vllm_eks.planner.engine.speculation import Speculation
from vllm_eks.planner.hardware.instances import InstanceType
from vllm_eks.planner.models.architecture import Architecture
from vllm_eks.planner.vllm_version import Version

NOT_IN_FLOAT16 = ("Gemma2For", "Gemma3For", "Glm4For")
"""Architectures that vLLM refuses in float16 (_FLOAT16_NOT_SUPPORTED_MODELS: gemma2, gemma3, gemma3_text, glm4)."""
BFLOAT16_SINCE_SM = 80
BFLOAT16_ONLY = ("mxfp4",)


def runs_in_32_bits(model: Architecture, sm: int, flags: EngineFlags) -> bool:
    """Return whether vLLM loads the model in float32: when asked to, and where it may not use either 16-bit type.

    GPUs before Ampere lack bfloat16, and some models are not stable in float16 (config/model.py, _resolve_auto_dtype).
    """
    if flags.dtype == FLOAT32:
        return True
    return flags.dtype == AUTO and sm < BFLOAT16_SINCE_SM and model.name.startswith(NOT_IN_FLOAT16)


def dtype_errors(model: Architecture, instance: InstanceType, flags: EngineFlags) -> Iterator[str]:
    """Yield why vLLM refuses --dtype for the model on this GPU."""
    dtype, method = flags.dtype, model.quantization.method
    gpu = f"{instance.gpu} (compute capability {instance.compute_capability})"
    reason = None
    if dtype == "bfloat16" and instance.sm < BFLOAT16_SINCE_SM:
        reason = f"{gpu} lacks it; use float16 or auto"
    elif dtype == FLOAT32 and model.quantization.is_quantized:
        reason = f"{method} weights need 16-bit values; use auto"
    elif dtype == "float16" and method in BFLOAT16_ONLY:
        reason = f"{method} weights need bfloat16; use auto"
    elif dtype == "float16" and model.name.startswith(NOT_IN_FLOAT16):
        reason = f"{model.name} is numerically unstable in it; use bfloat16 or float32"
    if reason:
        yield f"--dtype {dtype}: {reason}"


HEADS_OF_HIDDEN_STATES = ("eagle3", "dflash")
HEADS_FOR_EVERY_MODEL: Version = (0, 22, 0)
"""Up to 0.21 these heads are for the models below. 0.27 has no list; what is between was not read."""
MODELS_WITH_HEADS = tuple(
    """
    Llama Qwen MiniCPM GptOss HunYuan Afmoe NemotronH DeepseekV2 DeepseekV3 Kimi MiniMaxM2 Gemma4 Laguna
    """.split()
)
"""aux_hidden_states_supported of config/speculative.py in 0.21.0, by the start of the architecture's name."""


def drafter_errors(
    model: Architecture, speculation: Speculation, *, tensor_parallel_size: int, version: Version
) -> Iterator[str]:
    """Yield why vLLM refuses the drafter of --speculative-config for the model."""
    tp = tensor_parallel_size
    where, draft = "--speculative-config", speculation.draft.architecture if speculation.draft else None
    layers = draft.draft_layers or 1 if draft else model.draft_layers
    if speculation.method == "mtp" and not layers:
        yield f"{where}: {model.name} has no layers for multi-token prediction in its config.json; use another method"
    elif speculation.method == "mtp" and speculation.tokens > layers and speculation.tokens % layers:
        yield (
            f"{where}: {speculation.tokens} tokens are not a multiple of the {layers} layers for multi-token prediction"
        )
    other = bool(draft and draft.vocab_size != model.vocab_size and not speculation.any_vocabulary)
    if speculation.method == "draft_model" and draft and other:
        yield (
            f"{where}: {speculation.model} has a vocabulary of {draft.vocab_size}, the model one of "
            f"{model.vocab_size}; use a draft model of the same family"
        )
    heads = speculation.method in HEADS_OF_HIDDEN_STATES and version < HEADS_FOR_EVERY_MODEL
    if heads and not model.name.startswith(MODELS_WITH_HEADS):
        yield f"{where}: vLLM before 0.22 has no {speculation.method} for {model.name}; use another method"
    if speculation.draft_tensor_parallel_size not in (None, 1, tp):
        yield (
            f"{where}: draft_tensor_parallel_size {speculation.draft_tensor_parallel_size} must be 1 or {tp}, "
            "the model's"
        )
