"""The vLLM versions in which rules changed.

Source: the wheels of vLLM 0.8.5 to 0.33.0, one patch release per minor. "Since 0.20" means in 0.20.2 but not in
0.19.1.
"""

from vllm_eks.planner.vllm_version import Version

BROKEN_ACROSS_NODES: tuple[Version, ...] = ((0, 18, 0), (0, 18, 1), (0, 20, 0))
"""Pipeline stages on several nodes do not work (vllm#37933, fixed by PR 40150, and vllm#41864)."""
NATIVE_MULTI_NODE: Version = (0, 11, 1)
"""`--nnodes --node-rank --master-addr --headless` exist since this version."""
QWEN_VL_PIPELINES_BROKEN: tuple[Version, Version] = ((0, 17, 0), (0, 30, 0))
"""In this range Qwen3-VL with pipeline stages fails with "No model architectures are specified": its class builds the
decoder from a config without architectures (models/qwen3_vl.py; in 0.17.0 to 0.29.0, not in 0.16.0 and 0.30.0;
vllm#43271)."""
CUDA_GRAPHS_IN_BUDGET: Version = (0, 20, 0)
"""Since then vLLM subtracts its CUDA-graph estimate before it sizes the KV cache, on the first model runner."""
UTILIZATION_RAISED: Version = (0, 20, 0)
"""The default of --gpu-memory-utilization rose from 0.90 to 0.92."""
BIG_GPU_BATCH: Version = (0, 28, 0)
"""GPUs with 160 GiB or more have larger batch defaults."""
FP8_BLOCK_REFINED: Version = (0, 29, 0)
"""Block scales of FP8 experts may be refined to a common divisor (Triton, sm89 and up)."""
FP8_BLOCK_OF_MERGED_LAYERS: Version = (0, 14, 0)
"""Merged qkv and gate_up layers may split an FP8 block (linear.py, _maybe_allow_fp8_block_shape_mismatch)."""
MARLIN_PADS: Version = (0, 33, 0)
"""Marlin pads tiles that a shard does not fill. The quantization group must still divide the shard."""
DECODE_CONTEXT_PARALLEL: Version = (0, 10, 2)
"""--decode-context-parallel-size exists since this version."""
CONCURRENCY_IS_CAPACITY: Version = (0, 20, 1)
"""Since then "GPU KV cache size" is concurrency x max_model_len (kv_cache_utils.py, _report_kv_cache_config; in 0.20.1,
not in 0.20.0)."""
GROUPS_OF_LARGER_SIZE: Version = (0, 12, 0)
"""Cache groups use the larger layer count when it is less than 1.25 times the smaller one."""
GROUPS_OF_MUCH_LARGER_SIZE: Version = (0, 17, 0)
"""Cache groups use the larger layer count up to 1.5 times the smaller one (in 0.18.1, not in 0.16.0)."""
CHUNKED_ATTENTION_IN_HYBRID: Version = (0, 13, 0)
"""Llama 4's chunked layers free the KV cache before their chunk (VLLM_ALLOW_CHUNKED_LOCAL_ATTN_WITH_HYBRID_KV_CACHE is
1 in 0.14.1, 0 in 0.12.0). Earlier versions keep all of it."""
BATCHES_IN_FLIGHT: Version = (0, 26, 0)
"""Windows hold every batch in flight: max_in_flight_tokens (in 0.26.0, not in 0.25.1)."""
DRAFT_MODELS_AHEAD: Version = (0, 28, 0)
"""Batches are scheduled ahead with draft_model by default (config/vllm.py; in 0.28.0, not in 0.27.1)."""
SECOND_RUNNER_FOR_QUANTIZED: Version = (0, 24, 0)
"""The classes on the second model runner's list use it with quantized weights too (config/vllm.py; in 0.24.0, not in
0.23.0)."""
SECOND_RUNNER_FOR_DENSE: Version = (0, 25, 0)
"""Every model without experts and states uses the second model runner (config/vllm.py; in 0.25.0, not in 0.24.0)."""
SECOND_RUNNER_FOR_ALL: Version = (0, 29, 0)
"""Every model uses the second model runner (config/vllm.py; in 0.29.0, not in 0.28.0)."""
SECOND_RUNNER_DRAFTS_MORE: Version = (0, 32, 0)
"""The second model runner has ngram and draft_model too (in 0.32.0, not in 0.27.0)."""
SECOND_RUNNER_COUNTS_GRAPHS: Version = (0, 29, 0)
"""The second model runner estimates its CUDA graphs (gpu/cudagraph_utils.py; in 0.29.0; in 0.28.0 the estimate is 0, so
graphs are outside the budget)."""
COMPILING_COUNTED: Version = (0, 26, 0)
"""A start with an empty compile cache leaves less KV cache in logs of 0.26 to 0.31 (S05, S22, N70). Logs up to 0.20 do
not show it."""
ENCODER_ROTARY_FUSED: Version = (0, 17, 0)
"""Vision towers need less memory for their attention (N03, N06 and N07 of 0.18 and 0.20, against S08 of 0.11)."""
TOTAL_CONSUMPTION_COUNTED: Version = (0, 27, 0)
"""The memory profile counts all that the driver says is in use, so the runner's own buffers too (utils/mem_utils.py,
total_consumed; in 0.27.0, not in 0.26.0)."""
MOE_WORKSPACES_KEPT: Version = (0, 14, 0)
"""Kernels of experts keep their buffers in a workspace after the forward pass (v1/worker/workspace.py; 0.13.0 has the
module, and 0.14.0 runs 16-bit and FP8 experts through it)."""
BLACKWELL_RUNS_EXPERTS_WITHOUT_WORKSPACE: Version = (0, 20, 0)
"""16-bit experts run on FlashInfer's kernels on Blackwell by default (fused_moe/oracle/unquantized.py; in 0.20.0, not
in 0.19.1)."""
HOPPER_RUNS_STATIC_FP8_WITHOUT_WORKSPACE: Version = (0, 18, 0)
"""Experts in FP8 with static scales run on FlashInfer's CUTLASS kernel on Hopper, whose workspace is one row per token
(fused_moe/oracle/fp8.py and experts/flashinfer_cutlass_moe.py in 0.21.0; the log of row N51 shows it in 0.18.0)."""
MOE_CHUNKS_REMOVED: Version = (0, 18, 0)
"""Experts run over the whole batch, not over chunks of 16,384 tokens (VLLM_FUSED_MOE_CHUNK_SIZE is in 0.17.1, not in
0.18.0)."""
FUSED_ALLREDUCE: Version = (0, 17, 0)
"""FlashInfer fuses the all-reduce with the norm on Hopper and Blackwell (config/vllm.py, enable_allreduce_rms_fusion;
in 0.17.0, not in 0.16.0)."""
FUSED_ALLREDUCE_IN_PIPELINES: Version = (0, 21, 0)
"""The fusion is on with pipeline stages too (in 0.21.0, not in 0.20.2)."""
HYBRID_PREFIX_CACHING: Version = (0, 28, 0)
"""Prefix caching is on by default for hybrids and takes two state pages per request (in 0.28.0; in 0.27.0 it is off by
default)."""
STATE_CHECKPOINTS: Version = (0, 32, 0)
"""Mamba 2 and Kimi delta attention keep one more state per request with prefix caching (in 0.32.0, not in 0.21.0)."""
STATE_BLOCK_IN_A_BATCH: tuple[Version, Version] = ((0, 18, 0), (0, 27, 0))
"""In this range a hybrid with prefix caching refuses a block larger than a batch (config/vllm.py; in 0.18.1 to 0.26.0,
not in 0.17.1 and 0.27.0)."""
BLOCKS_OF_HYBRIDS_FOLLOW_FLAG: Version = (0, 20, 0)
"""A hybrid's enlarged block is a multiple of --block-size, not only of the kernels' (platforms/interface.py,
kernel_block_alignment_size; in 0.20.0, not in 0.19.1)."""
WINDOWS_IGNORE_BLOCK_SIZE: tuple[Version, Version] = ((0, 25, 0), (0, 30, 0))
"""In this range windows take the kernels' smallest block, whatever --block-size says (attention.py, get_kv_cache_spec;
in 0.25.1 to 0.29.0, not in 0.24.0 and 0.30.0)."""
STATES_COUNTED_BEFORE_GRAPHS: Version = (0, 20, 0)
"""Hybrids that capture full CUDA graphs refuse to start with more sequences than state blocks
(config/compilation.py; in 0.20.2, not in 0.19.1, which captured fewer sizes instead)."""
IMAGE_POSITIONS_NOT_REPEATED: Version = (0, 32, 0)
"""Multimodal rotary tables hold each position once (in 0.32.0, not in 0.31.0)."""
NULL_BLOCK_RESERVED: Version = (0, 29, 0)
"""The start-up check reserves one block."""
GRAPH_SIZES_THINNED: Version = (0, 11, 1)
"""CUDA graphs above 256 rows are captured every 16 rows instead of every 8."""
FULL_GRAPHS_TOO: Version = (0, 11, 0)
"""FULL_AND_PIECEWISE: decode batches get a full graph in addition to the piecewise one."""
PIPELINE_CHECK_OF_ALL_LAYERS: tuple[Version, Version] = ((0, 13, 0), (0, 17, 0))
"""In this range the start-up check counts the layers of all stages on each rank (vllm#34076)."""
ENCODER_OUTPUTS_SPREAD: tuple[Version, Version] = ((0, 11, 0), (0, 12, 0))
"""In this range profiling spreads each encoder output over the whole encoder budget (gpu_model_runner.py; in 0.11.0 and
0.11.2, not in 0.10.2 and 0.12.0)."""
CHECKPOINT_DECIDES_KV_DTYPE: Version = (0, 14, 0)
"""ModelOpt's kv_cache_quant_algo decides an FP8 KV cache (resolve_kv_cache_dtype_string; in 0.14.0, not in 0.13.0)."""
COMPRESSED_CHECKPOINT_DECIDES_KV_DTYPE: Version = (0, 15, 0)
"""compressed-tensors' kv_cache_scheme does too (attention.py; in 0.15.1, not in 0.14.1)."""
NAMED_KV_DTYPE_WINS: Version = (0, 22, 0)
"""--kv-cache-dtype wins over kv_cache_scheme (in 0.22.1, not in 0.21.0)."""
FP8_KV_OF_LARGE_HEADS: Version = (0, 32, 0)
"""FlashAttention 4 reads FP8 caches of heads of 512 values on Hopper, in blocks of 64 (in 0.32.0, not in 0.27.0)."""
WEIGHTS_ONLY_TAKES_E5M2: Version = (0, 24, 0)
"""compressed-tensors without kv_cache_scheme goes with an fp8_e5m2 cache (attention.py; in 0.24.0, not in 0.23.0)."""
BFLOAT16_KV_CHECKED: Version = (0, 24, 0)
"""Triton's attention refuses a bfloat16 KV cache before compute capability 8.0, and FlashInfer no longer runs there
(triton_attn.py and flashinfer.py; in 0.24.0, not in 0.23.0)."""
BFLOAT16_LATENT_KV_CHECKED: Version = (0, 26, 0)
"""So does Triton's latent attention (triton_mla.py; in 0.26.0, not in 0.25.1)."""
FLASHINFER_LARGE_HEADS: Version = (0, 22, 0)
"""FlashInfer's kernels take heads of 512 values (flashinfer.py; in 0.22.1, not in 0.21.0)."""
PREFIX_IMAGES_CAN_BE_OFF: Version = (0, 27, 0)
"""Without images, attention in both directions is off (config/model.py, is_mm_prefix_lm; in 0.27.0, not in 0.26.0)."""
FLASHINFER_MLA_FIRST: Version = (0, 15, 0)
"""Blackwell prefers FlashInfer's MLA kernels to CUTLASS (platforms/cuda.py; in 0.15.1, not in 0.14.1)."""
FLASH_ATTENTION_MLA_FIRST: Version = (0, 18, 0)
"""The selected backend decides the block of latent attention (in 0.18.0). Up to 0.17.1 FlashMLA's 64 tokens were forced
on Hopper, although FlashAttention runs there."""
SPARSE_FP8_KV_BY_DEFAULT: tuple[Version, Version] = ((0, 11, 0), (0, 11, 1))
"""In this range DeepSeek V3.2 has an FP8 KV cache by default (models/config.py; in 0.11.0, not in 0.11.2)."""
FLASHINFER_SPARSE_FP8: tuple[Version, Version] = ((0, 18, 0), (0, 20, 0))
"""On Blackwell, FlashInfer's sparse kernel keeps FP8 vectors unpacked: with few heads from the first of these versions,
always from the second (in 0.20.0, not in 0.19.1)."""
GLM_FP8_KV_ON_BLACKWELL: Version = (0, 32, 0)
"""GLM 5 has an FP8 KV cache by default on Blackwell (models/config.py; in 0.32.0, not in 0.31.0)."""
SPARSE_ON_CONSUMER_BLACKWELL: Version = (0, 24, 0)
"""Sparse attention runs on compute capability 12.0, with packed FP8 vectors (in 0.24.0, not in 0.23.0)."""
SPARSE_FLASH_ATTENTION: Version = (0, 25, 0)
"""FlashAttention has a kernel for sparse attention on Hopper, for float16 and not FP8 (flashattn_mla_sparse.py; in
0.25.1, not in 0.24.0)."""
SPARSE_FP8_HAS_ONE_NAME: tuple[Version, Version] = ((0, 18, 0), (0, 30, 0))
"""In this range sparse attention on Hopper has an FP8 cache under the name fp8 only, which means fp8_ds_mla
(flashmla_sparse.py; in 0.18.0; 0.17.1 renames every FP8 type). From 0.30, FlashInfer has a kernel for fp8_e4m3
there, without the packed format (flashinfer_mla_sparse_sm90.py; in 0.30.0, not in 0.29.0)."""
COMPRESSED_DEFAULT_IS_FP8: Version = (0, 30, 0)
"""DeepSeek V4 takes --kv-cache-dtype auto for fp8 (models/deepseek_v4/attention.py; in 0.30.0; 0.29.0 refuses auto)."""
COMPRESSED_PADS_SHARED_EXPERTS: Version = (0, 24, 0)
"""DeepSeek V4 pads its shared experts to whole FP8 blocks (models/deepseek_v4/nvidia/model.py; in 0.24.0, not in
0.23.0)."""
PIXTRAL_WITHOUT_TABLES: Version = (0, 28, 0)
"""Pixtral's towers compute their positions (transformers, modeling_pixtral.py; in 5.19, not in 5.12, the one of 0.21.0;
0.27.0 does not import the class with 5.19)."""
IMAGES_ON_BLACKWELL: Version = (0, 30, 0)
"""Images that attend in both directions run on Triton and FlashInfer together, in blocks of 64 (triton_flashinfer.py;
in 0.30.0, not in 0.29.0)."""
PACKED_PAGES_OVERLAP: Version = (0, 27, 0)
"""Groups of DeepSeek V4 share blocks without padding. Before it, a block has a page of each size that layers with
the whole context have, as often as the longest group needs (kv_cache_utils.py; in 0.27.0, not in 0.26.0)."""
PACKED_GROUPS_FOLLOW_MIXED: Version = (0, 29, 0)
"""Groups of DeepSeek V4's windows follow the kinds of caches with several page sizes (_get_packed_kv_cache_groups; in
0.29.0, not in 0.28.0)."""
INDICES_SHARED: Version = (0, 24, 0)
"""Layers of sparse attention that use the indices of another one have no indexer and no cache for it
(models/deepseek_v2.py; in 0.24.0, not in 0.23.0)."""
TRITON_MLA_FP8: Version = (0, 18, 0)
"""Triton's MLA kernel accepts an FP8 KV cache (in 0.18.0, not in 0.17.1)."""
LESS_ROUNDED_ON_BLACKWELL: Version = (0, 27, 0)
"""FlashInfer's MXFP4 kernels for Blackwell round an expert up to 128 instead of 256 (fused_moe/oracle/mxfp4.py; in
0.27.0, not in 0.26.0)."""
TRITON_EXPERTS: Version = (0, 12, 0)
"""vLLM includes Triton's kernels for MXFP4 experts (has_triton_kernels, utils/import_utils.py; in 0.12.0, not
0.11.2)."""
TRITON_PADS_VALUES: Version = (0, 17, 0)
"""The kernels are those of Triton 3.6, which pad the values. The source of 0.21.0 has the padding, and a log of 0.14.1
shows none. The first release between them is unknown: the planner pads from 0.17."""
