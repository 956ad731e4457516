"""The constants of the memory model, each with its source.

No constant is fitted to a single run. An estimate is a Range with the best value and a 90 % interval.
"""

from vllm_eks.planner.ranges import Range
from vllm_eks.planner.units import BYTES_PER_GIB, BYTES_PER_MIB
from vllm_eks.planner.vllm_version import Version

# Weights: loaded bytes over computed bytes, from start-up logs (tests/data/vllm_runs) and vLLM's own classes.
WEIGHTS_FROM_HEADERS = Range(0.997, 1.0, 1.005)
WEIGHTS_FROM_INDEX = Range(0.992, 1.0, 1.007)
WEIGHTS_COMPUTED_DENSE = Range(0.997, 1.0, 1.003)
WEIGHTS_COMPUTED_OTHER = Range(0.992, 1.0, 1.007)
"""Mixtures of experts, latent attention and vision have scales, biases and buffers that the config does not show."""
WEIGHTS_ESTIMATED = Range(0.95, 1.0, 1.06)
"""For an architecture derived from the fields of its config.json. Nine in ten are within 2 % of vLLM's classes, and
quantized ones may have layers in 16 bits that the config does not name."""
WEIGHTS_ESTIMATED_OF_KNOWN_TOTAL = Range(0.98, 1.0, 1.02)
"""The same if the files' total is known: only the shares of the ranks are estimated (`make oracle`)."""

# Sampler bytes per logit (row x vocabulary), counted in v1/sample. Logits in 16 bits (2) and their 32-bit copy (4) are
# always included.
SORTING_SAMPLER = Range(36, 38, 39)
"""torch.sort: sorted values 4, int64 indices 8, reverse index 8, radix-sort buffers 12. Logs: 38.9 at 1024 rows."""
SORTING_OR_FLASHINFER_SAMPLER = Range(12, 38, 39)
"""Up to 0.11.0 FlashInfer, if installed, replaces the sort: probabilities 4 and, not in place, masked logits 4, 10 to
14 in total. Logs have 12 to 14 (S29, N72, N73)."""
MASKING_SAMPLER = Range(14, 14.5, 17.5)
"""Triton or FlashInfer mask in place: 14, and Triton's buffer of one row per multiprocessor (0.5 at 1,024 rows). Rows
N17, N20, N22 (0.18.0, one H200) leave 0.27 GiB in addition to it, whatever the vocabulary is."""
LOGITS_ALONE, LOGITS_GATHERED = Range(2, 2, 6), Range(4, 4, 8)
"""The second model runner's profile skips masks and penalties (v1/worker/gpu/model_runner.py, _dummy_sampler_run): the
logits in 16 bits, and under TP the gathered copy. The high end adds a 32-bit copy."""
PENALTY_BYTES_PER_LOGIT = 4.125
"""The second model runner's output_bin_counts (int32) and prompt_bin_mask (one bit)."""
REJECTION_SAMPLER = Range(0, 6, 12)
"""Bytes per logit that speculative decoding adds to the sampler's profile: logits of the drafted token and their 32-bit
copy, up to a sorted copy (_dummy_sampler_run in v1/worker/gpu_model_runner.py). Read, not measured."""
SORT_ALWAYS_SINCE: Version = (0, 11, 1)
SORT_REPLACED_SINCE: Version = (0, 17, 0)

FORWARD_FLOOR = Range(0.25, 0.4, 0.6) * BYTES_PER_GIB
"""The workspaces of a small forward pass. FlashInfer's buffer alone is 394 MiB by default."""
FORWARD_DEVIATION = Range(0.6, 1.0, 1.4)
"""The compiler removes some buffers and keeps others longer."""

ENCODER_ATTENTION_VALUES = Range(12, 24, 40)
ENCODER_ATTENTION_VALUES_FUSED = Range(12, 20, 32)
"""Live values per patch in the attention of a vision tower, in units of the hidden size: residual, norm, q k v and
their copies (7), rotary embedding in 32 bits (8 to 16), positions. The low end assumes fused rotary kernels."""

NON_TORCH_ONE_GPU = Range(0.05, 0.12, 0.3) * BYTES_PER_GIB
NON_TORCH_ONE_GPU_NEWER = Range(0.05, 0.27, 0.4) * BYTES_PER_GIB
"""From 0.17. Rows N17, N20 and N22 (0.18.0, one H200) have 0.27 to 0.29 in addition to sampler, workspace and
buffers."""
NON_TORCH_FEW_GPUS = Range(0.35, 0.6, 0.9) * BYTES_PER_GIB
NON_TORCH_MANY_GPUS = Range(0.6, 1.2, 1.6) * BYTES_PER_GIB
"""CUDA context and NCCL: logs show 0.05-0.15 GiB at TP 1, 0.5-0.7 at 2 and 4, and 1-1.5 at 8, with NVLink."""
NON_TORCH_PCIE = Range(0.03, 0.25, 0.8) * BYTES_PER_GIB
"""Custom all-reduce and NVLink SHARP buffers need NVLink. Without it logs have 0.03 at TP 2 (N71), 0.21 at TP 8 (S06)
and about 0.2 at TP 2 (N69)."""
NON_TORCH_FUSED_ALLREDUCE = Range(1.8, 2.1, 2.45) * BYTES_PER_GIB
"""With FlashInfer's fused all-reduce (Hopper and Blackwell from 0.17): 2.1 at TP 2 (N21), 2.1 at TP 4 (N37, N41, N08,
N12, N48; also on B200), 2.2 at TP 8 (N00), all of 0.18.0."""
NON_TORCH_PIPELINE = Range(0.05, 0.2, 0.5) * BYTES_PER_GIB
"""One more NCCL communicator between stages. An estimate, because few public logs use PP."""

GRAPH_BYTES_PER_DENSE_LAYER = Range(0.1, 0.13, 0.2) * BYTES_PER_MIB
GRAPH_BYTES_PER_MOE_LAYER = Range(0.1, 0.18, 0.35) * BYTES_PER_MIB
GRAPH_BYTES_PER_HYBRID_LAYER = Range(0.2, 0.3, 0.4) * BYTES_PER_MIB
GRAPH_BYTES_PER_LATENT_LAYER = Range(0.2, 0.35, 0.8) * BYTES_PER_MIB
"""Per captured CUDA graph and layer, from printed totals. Dense: 0.11 to 0.12 (Llama-70B, TP 4: N12, N41) and 0.17
(Ministral: N17). Experts: 0.18 (N00, N06). Linear attention: 0.29 to 0.32 (N20, N21, N22). Latent attention: 0.25
(DeepSeek, TP 8), 0.64 (GLM-5.2, TP 4) and 0.79 (N53).
Layers with a mixer or an MLP alone, such as Nemotron-H's: 0.13 (N51, N52)."""

COMPILING = Range(0.0, 0.5, 1.0) * BYTES_PER_GIB
"""KV cache memory that is missing after a start with an empty compile cache: 0 in N69 (a second start), 0.4 to 0.9 in
S05, S22 and N70. Every new node has an empty cache. Some reports say up to 2.3 GiB."""

UNEXPLAINED = Range(-0.18, 0.0, 0.18) * BYTES_PER_GIB
"""Differences between runs of the same setting: rounding and fragmentation of the allocator, libraries, the state of
the node. With it, nine in ten ranges contain the measured value in runs of models and sources that are left out of the
fit (`make leave-out`)."""

CUDA_CONTEXT_BYTES = 0.2 * BYTES_PER_GIB
"""The minimum memory of a process's CUDA context. It exists before vLLM's first snapshot, so no budget counts it."""

TOTAL_MEMORY = Range(0.999, 1.0, 1.003)
"""Cards of the same model report different totals (79.10 to 79.33 GiB for an H100); the catalogue has the low end."""

HOST_BYTES_PER_WORKER = Range(1.5, 2.5, 4.0) * BYTES_PER_GIB
"""Resident memory of one vLLM worker process without the weights: Python, torch, CUDA libraries. An estimate."""
HOST_SYSTEM_BYTES = 4 * BYTES_PER_GIB
"""Kubelet, DaemonSets, the API server process and the operating system. An estimate."""
