"""The flags of `vllm serve` that change memory and have no option of their own in a plan, as one value."""

from dataclasses import dataclass

from vllm_eks.planner.engine.speculation import Speculation
from vllm_eks.planner.units import BYTES_PER_GIB

AUTO = "auto"
FLOAT32 = "float32"
PROCESSOR_CACHE_GIB = 4.0
"""vLLM's default of --mm-processor-cache-gb (config/multimodal.py)."""

OFFLOADING_CONNECTORS = {"OffloadingConnector": 0, "SimpleCPUOffloadConnector": 8 * BYTES_PER_GIB}
"""Connector that keeps the KV cache in host memory -> its default size, or 0 if a size must be given
(distributed/kv_transfer/kv_connector/v1/simple_cpu_offload_connector.py, DEFAULT_CPU_CAPACITY_BYTES)."""


@dataclass(frozen=True, kw_only=True)
class GraphCapture:
    """Which CUDA graphs vLLM captures. None means the version's default."""

    mode: str | None = None
    """NONE, PIECEWISE, FULL, FULL_DECODE_ONLY or FULL_AND_PIECEWISE."""
    sizes: tuple[int, ...] | None = None
    """The batch sizes, instead of vLLM's own list."""
    largest: int | None = None
    """The largest batch size of vLLM's own list."""
    fine: bool = False
    """Whether every size up to 32 is captured (--performance-mode interactivity)."""

    @property
    def is_off(self) -> bool:
        """Whether nothing is captured."""
        return self.mode == "NONE"

    @property
    def has_piecewise(self) -> bool:
        """Whether each size has a graph for mixed batches."""
        return self.mode in (None, "PIECEWISE", "FULL", "FULL_AND_PIECEWISE")

    @property
    def has_full_decode(self) -> bool:
        """Whether each size of a decode batch has its own full graph."""
        return self.mode in (None, "FULL_DECODE_ONLY", "FULL_AND_PIECEWISE")


@dataclass(frozen=True, kw_only=True)
class Offload:
    """Weights that stay in host memory (vllm/config/offload.py)."""

    gib_per_gpu: float = 0.0
    """--cpu-offload-gb: weights of layers that each GPU reads from host memory."""
    group_layers: int = 0
    """--offload-group-size: layers of a group whose last ones are fetched before use, or 0."""
    layers_of_group: int = 1
    """--offload-num-in-group."""
    fetched_layers: int = 1
    """--offload-prefetch-step: layers that are on the GPU at once."""

    @property
    def is_off(self) -> bool:
        """Whether all weights are on the GPUs."""
        return not self.gib_per_gpu and not self.group_layers


USUAL_GRAPHS = GraphCapture()
ALL_ON_GPU = Offload()


@dataclass(frozen=True, kw_only=True)
class EngineFlags:
    """Flags that planner.memory counts, with vLLM's defaults."""

    dtype: str = AUTO
    """auto, float16, bfloat16 or float32: the type of the values that a checkpoint does not quantize."""
    speculation: Speculation | None = None
    offload: Offload = ALL_ON_GPU
    kv_offloading_bytes: float = 0.0
    """Host memory for the KV cache, over all GPUs of a replica."""
    async_scheduling: bool | None = None
    """--async-scheduling. None means vLLM's choice."""
    language_model_only: bool = False
    block_tokens: int | None = None
    """--block-size, or None for vLLM's choice."""
    kv_cache_bytes: int | None = None
    """--kv-cache-memory-bytes of each GPU, which replaces --gpu-memory-utilization."""
    num_gpu_blocks: int | None = None
    """--num-gpu-blocks-override."""
    graphs: GraphCapture = USUAL_GRAPHS
    state_dtype: str = AUTO
    """--mamba-ssm-cache-dtype: the type of linear-attention and state-space states."""
    convolution_dtype: str = AUTO
    """--mamba-cache-dtype."""
    whole_encoder: bool = False
    """--mm-encoder-tp-mode data: each GPU holds the whole encoder."""
    processor_cache_gib: float = PROCESSOR_CACHE_GIB
    attention_backend: str | None = None
    """--attention-backend in upper case, or None for vLLM's choice."""
    max_cpu_loras: int | None = None
    """--max-cpu-loras: adapters that each worker keeps in host memory, or None for the adapters of a batch."""
    ipc_gpu_memory_gib: float = 0.0
    """--mm-ipc-gpu-memory-gb: GPU memory kept free for the API server's decoding of media."""


NO_FLAGS = EngineFlags()
"""Everything at vLLM's default."""
