"""The description of each key of `--json`, for `docs/reference/json.md`. Tests compare the keys with the printed
objects."""

from collections.abc import Mapping

PLAN_KEYS: Mapping[str, str] = {
    "model.id": "The Hugging Face ID, or the folder.",
    "model.revision": "The locked commit, or null if the model is locked without one.",
    "model.architecture": "The architecture's name in `config.json`.",
    "model.confidence": (
        "How the architecture was read: `known` (the planner has its rules) or `estimated` (from the fields of "
        "`config.json`)."
    ),
    "model.parameters": "The number of parameters.",
    "model.weights_bytes": "The size of the weights in bytes.",
    "model.weights_source": (
        "Where that size comes from: `computed` (from `config.json`), `index` or `headers` (of the safetensors files)."
    ),
    "model.quantization": "The quantization method.",
    "instance.type": "The EC2 instance type.",
    "instance.gpu": "The GPU's name.",
    "instance.gpus": "The number of GPUs per node.",
    "instance.gpu_memory_gib": "The memory of one GPU in GiB, as CUDA reports it.",
    "fits": "Whether the model fits or likely fits.",
    "verdict": (
        "`fits` (by the low estimates), `likely_fits` (only by the likely ones; `warnings` has what is uncertain), "
        "`refused` or `unknown` (the planner cannot decide)."
    ),
    "confidence": "`known`, or `estimated` for an architecture that is read from its config and tensors alone.",
    "parallelism.tensor_parallel_size": "The tensor parallel size.",
    "parallelism.pipeline_parallel_size": "The pipeline parallel size.",
    "parallelism.nodes": "The number of nodes of one replica.",
    "parallelism.replicas": "The number of replicas.",
    "parallelism.total_nodes": "The number of nodes of all replicas.",
    "memory_per_gpu.total_gib": "The memory of the GPU in GiB.",
    "memory_per_gpu.budget_gib": "The part of it that vLLM may use: the sum of the next four.",
    "memory_per_gpu.weights_gib": "The loaded model, including its rotary tables.",
    "memory_per_gpu.activations_gib": "The activations of the largest batch.",
    "memory_per_gpu.overhead_gib": "Everything else in the budget.",
    "memory_per_gpu.kv_cache_gib": "The memory that remains for the KV cache.",
    "memory_per_gpu.outside_budget_gib": "Memory that vLLM takes in addition to the budget, such as CUDA graphs.",
    "memory_terms": "All terms of the sum: a list of `name`, `gib`, `low_gib`, `high_gib` and `rule`.",
    "kv_cache_tokens": "The size of a replica's KV cache in tokens: the best estimate.",
    "kv_cache_tokens_low": "The low end of its 90 % range: the low estimate.",
    "kv_cache_tokens_high": "The high end of its 90 % range.",
    "margin_gib": (
        "The remaining KV cache after one request of the maximum length, on the GPU with the least, in GiB, by the "
        "low estimate."
    ),
    "kv_cache_bytes_per_token_per_gpu": "The KV cache of one token on one GPU, in bytes.",
    "max_model_len": "The maximum context of one request, in tokens.",
    "max_num_seqs": "The maximum number of requests in one batch.",
    "largest_context_tokens": "The longest context that fits in the layout, in tokens, by the low estimate.",
    "max_concurrency": "The number of requests of the maximum length that can run at once.",
    "cost.usd_per_hour": "The on-demand price of the GPU nodes of all replicas, in US dollars per hour.",
    "cost.usd_per_million_tokens_estimate": "The estimated price of a million output tokens when full.",
    "throughput_estimate": (
        "The speed of one full replica: `tokens_per_second` with `_low` and `_high`, `running_requests`, "
        "`input_tokens`, `output_tokens`, `ttft_seconds`, `tpot_seconds`, `limit`, `label` (`measured`, `derived` or "
        "`estimated`), and `row_ids` of public measurements of the same model and machine."
    ),
    "idle_gpus": "The number of GPUs that the layout does not use.",
    "zone_ids": "The IDs of zones that offer the type, by region.",
    "gpudirect_rdma": "Whether the type has GPUDirect RDMA.",
    "startup.budget_seconds": "The time limit of a start, in seconds.",
    "startup.steps_seconds": "The steps of a start, each in seconds.",
    "startup.other_ways_seconds": "The seconds to load the weights from other sources.",
    "vllm_version": "The planned vLLM version.",
    "vllm_args": "The arguments of `vllm serve`. Empty if the model does not fit.",
    "refusals": "Why it does not fit: a list of `code` ([refusal codes](refusal-codes.md)) and `message`.",
    "suggestions": "Layouts and settings that would fit.",
    "notes": "Notes about the plan.",
    "warnings": "Warnings to read before you deploy.",
}

PREVIEW_KEYS: Mapping[str, str] = {
    "stack": "The stack's name.",
    "region": "The AWS region.",
    "verdict": "`yes` (if the account allows it), `not_yet` (something must be set first), or `no` (a check failed).",
    "answer": "The first line of the text output.",
    "models": (
        "By name: `zones`, `capacity_type`, `parked`, `running_nodes`, `clients` (names of named clients), and `plan`, "
        "the object of `vllm-eks plan --json`."
    ),
    "checks": "A list of `status` (`passed`, `failed`, `warning` or `unknown`), `subject` and `text`.",
    "warnings": "Warnings from the checks, and then from the program's log.",
    "price.region": "The region of the prices.",
    "price.usd_per_hour": "The price of the whole stack, in US dollars per hour, or null if a part is unknown.",
    "price.usd_per_hour_at_least": "The price of the known parts, in US dollars per hour.",
    "price.parts": "A list of `part`, `what`, `usd_per_hour` and `price_of`.",
    "price.by_usage": "What AWS bills by usage: a list of `part`, `unit`, `usd` (null if unknown) and `price_of`.",
    "resources": "The number of resources by type. Empty for a refused stack.",
}

DOCTOR_KEYS: Mapping[str, str] = {
    "subject": "The subject of the finding: the cluster, a node group, a model or a pod.",
    "severity": "`ok`, `problem` or `unknown`.",
    "title": "The finding in one sentence.",
    "evidence": "The evidence. Empty if the title is enough.",
    "remedy": "The fix. Empty if there is nothing to do.",
    "code": "A stable name of the cause. Empty if there is none.",
}
"""For each finding. `doctor --json` prints a list."""

LEFTOVERS_KEYS: Mapping[str, str] = {
    "name": "The project and the stack, `<project>-<stack>`.",
    "region": "The AWS region that was searched.",
    "account": "The AWS account that was searched.",
    "in_use": "Why the resources are still in use, or null if they are not.",
    "clean": "Whether nothing is left and all kinds could be listed.",
    "left": (
        "The remaining resources: a list of `kind`, `id`, `why` (the tag or name that identifies it as the stack's), "
        "`remark`, `usd_per_hour`, `usd_per_month` and `commands` (that remove it)."
    ),
    "in_the_way": (
        "Resources of others in the stack's VPC, which must be removed before the VPC: a list of `vpc`, `kind`, `id`, "
        "`made_by` and `commands`."
    ),
    "going_by_themselves": "Resources that AWS removes automatically, such as a key in its waiting period. Same keys "
    "as `left`.",
    "not_asked": "The kinds that could not be listed: a list of `kind` and `reason`.",
    "usd_per_hour_at_least": "The known price of these resources, in US dollars per hour.",
    "usd_per_month_at_least": "The known price of these resources, in US dollars per month.",
    "price_region": "The region of the prices.",
    "prices": "The prices used: a list of `of`, `usd`, `per` and `source`.",
}

BENCH_KEYS: Mapping[str, str] = {
    "stack": "The stack's name.",
    "model": "The model's name in the stack file.",
    "replicas": "The number of replicas that served during the benchmark.",
    "requests": "The number of requests that were sent.",
    "completed": "The number of requests that were answered.",
    "failed": "The number of requests that failed.",
    "client_beside_the_model": "Whether the client ran on the model's own node.",
    "measured.output_tokens_per_second": "The output tokens per second of all replicas together.",
    "measured.requests_per_second": "The answered requests per second.",
    "measured.ttft_seconds": "The time to the first token: `mean`, `p50`, `p90` and `p99`.",
    "measured.tpot_seconds": "The time per output token after the first one. Same keys.",
    "measured.itl_seconds": "The time between two parts of a streamed answer. Same keys.",
    "measured.e2e_seconds": "The time of a whole answer. Same keys.",
    "predicted": (
        "The prediction, or null if there is none: `output_tokens_per_second`, `requests_per_second`, `ttft_seconds` "
        "and `tpot_seconds` (means, each with `low`, `best` and `high`), `limit`, `label`, `saturated` (whether "
        "requests arrive faster than they are answered) and `step_factor` (`measuredStepFactor`, or 1)."
    ),
    "predicted_percentiles": (
        "Percentiles from a replay of vLLM's scheduler, or null: `ttft_seconds`, `itl_seconds` and `e2e_seconds`, each "
        "with `p50`, `p90` and `p99`."
    ),
    "saved": "The file with the result.",
}

PINS_KEYS: Mapping[str, str] = {
    "stack": "The stack's name.",
    "kubernetes_version": "The Kubernetes minor version that the pins are for.",
    "pins": (
        "A list of `key` (in the stack file), `this_release`, `stack_file`, `offered` (null if unknown), `moves` "
        "(whether `offered` differs from the version in use), `written` and `remark`."
    ),
    "not_asked": "Why AWS could not be queried, or null if it could.",
}
