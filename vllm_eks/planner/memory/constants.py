"""Every number of the memory account that is not read from a model, a GPU or vLLM's options, with its reason.

None is fitted to a single run. A number that nobody can know exactly is a Range: what is most likely, and the ends it
stays within nine times in ten.
"""

from vllm_eks.planner.ranges import Range
from vllm_eks.planner.units import BYTES_PER_GIB, BYTES_PER_MIB
from vllm_eks.planner.vllm_version import Version

BLOCK_TOKENS = 16
"""vLLM's default --block-size on CUDA."""


# Weights: how far loaded bytes stray from the bytes counted (start-up logs beside file sizes, vllm_memory section 2).
WEIGHTS_FROM_HEADERS = Range(0.995, 1.0, 1.01)
WEIGHTS_FROM_INDEX = Range(0.99, 1.0, 1.015)
WEIGHTS_COMPUTED_DENSE = Range(0.99, 1.0, 1.01)
WEIGHTS_COMPUTED_OTHER = Range(0.98, 1.0, 1.03)
"""Mixtures, latent attention, vision: scales, biases and buffers that the config does not show."""
WEIGHTS_ASSUMED = Range(0.9, 1.0, 1.15)
"""An architecture read with --assume-dense."""

# Sampler, bytes a logit (row x vocabulary), counted from v1/sample: logits in 16 bits (2) and their 32-bit copy (4) are
# always there.
SORTING_SAMPLER = Range(36, 38, 39)
"""torch.sort: sorted values 4, int64 indices 8, reverse index 8, radix-sort buffers 12. Logs: 38.9 at 1024 rows."""
SORTING_OR_FLASHINFER_SAMPLER = Range(14, 38, 39)
"""Up to 0.11.0 an installed FlashInfer replaces the sort: masked logits 4 and probabilities 4, 14 in all."""
MASKING_SAMPLER = Range(14, 20, 38)
"""Triton or FlashInfer mask in place: 14 counted, 17 to 23 in logs; the sort stays the fallback."""
SORT_ALWAYS_SINCE: Version = (0, 11, 1)
SORT_REPLACED_SINCE: Version = (0, 17, 0)

FORWARD_FLOOR = Range(0.25, 0.4, 0.6) * BYTES_PER_GIB
"""Workspaces that even a small forward pass allocates: FlashInfer's buffer alone is 394 MiB by default."""
FORWARD_DEVIATION = Range(0.6, 1.0, 1.4)
"""The compiler fuses some buffers away and keeps others a little longer."""

ENCODER_ATTENTION_VALUES = Range(12, 24, 40)
"""Values of hidden size that a patch holds at once in a vision tower's attention: residual, norm, q k v and their
copies (7), rotary embedding in 32 bits (8 to 16), positions. The low end is with fused rotary kernels."""

NON_TORCH_ONE_GPU = Range(0.05, 0.12, 0.3) * BYTES_PER_GIB
NON_TORCH_FEW_GPUS = Range(0.2, 0.6, 1.0) * BYTES_PER_GIB
NON_TORCH_MANY_GPUS = Range(0.6, 1.2, 1.6) * BYTES_PER_GIB
NON_TORCH_MANY_GPUS_PCIE = Range(0.2, 0.6, 1.5) * BYTES_PER_GIB
"""CUDA context and NCCL: 0.05-0.15 GiB in logs at TP 1, 0.5-0.7 at 2 and 4, 1-1.5 at 8. Custom all-reduce and NVLink
SHARP buffers need NVLink; without it 0.21 was logged at 8."""
NON_TORCH_PIPELINE = Range(0.05, 0.2, 0.5) * BYTES_PER_GIB
"""One more NCCL communicator between stages. Estimate: few logs with PP are public."""

GRAPH_BYTES_PER_LAYER = Range(0.1, 0.2, 0.35) * BYTES_PER_MIB
"""One captured CUDA graph, a layer: 0.12, 0.16 and 0.26 MiB in logs of 0.11 to 0.20 (0.6 once, 126 layers, 0.8.3)."""

TOTAL_MEMORY = Range(0.997, 1.0, 1.002)
"""Cards of one model differ in reported memory (79.10 to 79.33 GiB of an H100)."""

HOST_BYTES_PER_WORKER = Range(1.5, 2.5, 4.0) * BYTES_PER_GIB
"""Resident memory of one vLLM worker process beside the weights: Python, torch, CUDA libraries. Estimate."""
HOST_SYSTEM_BYTES = 4 * BYTES_PER_GIB
"""Kubelet, DaemonSets, the API server process and the operating system. Estimate."""
