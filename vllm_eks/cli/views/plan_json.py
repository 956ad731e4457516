"""The `--json` object of a plan. Its keys are a contract: keys may be added, but not removed."""

from typing import Any

from vllm_eks.planner.memory.stages import Stage
from vllm_eks.planner.memory.terms import Term
from vllm_eks.planner.models.known_models import ModelFacts
from vllm_eks.planner.search.plan import Plan
from vllm_eks.planner.search.vllm_args import vllm_args
from vllm_eks.planner.units import gib


def model_json(model: ModelFacts) -> dict[str, Any]:
    """Return the model's part of the object."""
    return {
        "id": model.id,
        "revision": model.revision,
        "architecture": model.architecture.name,
        "confidence": model.architecture.confidence,
        "parameters": model.parts.parameters,
        "weights_bytes": model.weights_bytes,
        "weights_source": model.weights_source,
        "quantization": model.architecture.quantization.method,
    }


def plan_json(plan: Plan) -> dict[str, Any]:
    """Return the whole object. Memory is that of the tightest rank. The middle four values add up to the budget."""
    layout, stage, sizes = plan.layout, plan.layout.tightest if plan.layout else None, plan.sizes
    return {
        "model": model_json(plan.model),
        "instance": {
            "type": plan.instance.type,
            "gpu": plan.instance.gpu,
            "gpus": plan.instance.gpus,
            "gpu_memory_gib": plan.instance.gpu_memory_gib,
        },
        "fits": plan.fits,
        "verdict": plan.verdict,
        "confidence": plan.confidence,
        "parallelism": {
            "tensor_parallel_size": sizes.tensor_parallel_size if sizes else None,
            "pipeline_parallel_size": sizes.pipeline_parallel_size if sizes else None,
            "nodes": plan.nodes_per_replica if sizes else None,
            "replicas": plan.replicas,
            "total_nodes": plan.total_nodes if sizes else None,
        },
        "memory_per_gpu": _memory(stage) if stage else None,
        "memory_terms": [_term(term) for term in stage.terms] if stage else [],
        "kv_cache_tokens": plan.kv_cache_tokens if layout else None,
        "kv_cache_tokens_low": plan.kv_cache_tokens_range[0] if layout else None,
        "kv_cache_tokens_high": plan.kv_cache_tokens_range[1] if layout else None,
        "margin_gib": gib(plan.margin_bytes) if layout else None,
        "kv_cache_bytes_per_token_per_gpu": stage.kv_bytes_per_token if stage else None,
        "max_model_len": plan.options.max_model_len,
        "max_num_seqs": plan.options.max_num_seqs,
        "largest_context_tokens": plan.largest_context_tokens if layout else None,
        "max_concurrency": plan.max_concurrency if layout else None,
        "cost": {"usd_per_hour": plan.usd_per_hour, "usd_per_million_tokens_estimate": plan.usd_per_million_tokens},
        "throughput_estimate": _throughput(plan),
        "idle_gpus": plan.idle_gpus if sizes else None,
        "zone_ids": {region: list(zones) for region, zones in plan.instance.zone_ids.items()},
        "gpudirect_rdma": plan.instance.gpudirect_rdma,
        "startup": {
            "budget_seconds": plan.startup.budget_seconds,
            "steps_seconds": dict(plan.startup.steps_seconds),
            "other_ways_seconds": dict(plan.startup.other_ways_seconds),
        },
        "vllm_version": ".".join(map(str, plan.options.version)),
        "vllm_args": vllm_args(plan) if plan.fits else [],
        "refusals": [{"code": refusal.code, "message": refusal.message} for refusal in plan.refusals],
        "suggestions": list(plan.suggestions),
        "notes": list(plan.notes),
        "warnings": list(plan.warnings),
    }


def _memory(stage: Stage) -> dict[str, float]:
    return {
        "total_gib": gib(stage.total_bytes),
        "budget_gib": gib(stage.budget_bytes),
        # Includes the rotary tables, like the size that vLLM logs for the loaded model. memory_terms lists them
        # separately.
        "weights_gib": gib(stage.loaded_bytes),
        "activations_gib": gib(stage.activations.size_bytes),
        "overhead_gib": gib(stage.overhead_bytes),
        "kv_cache_gib": gib(stage.kv_cache_bytes),
        "outside_budget_gib": gib(stage.outside_budget_bytes),
    }


def _term(term: Term) -> dict[str, Any]:
    """Return one term of the sum, so that a reader can check it."""
    return {
        "name": term.name,
        "gib": gib(term.bytes.best),
        "low_gib": gib(term.bytes.low),
        "high_gib": gib(term.bytes.high),
        "rule": term.rule,
    }


def _throughput(plan: Plan) -> dict[str, Any] | None:
    estimate = plan.throughput
    if estimate is None:
        return None
    rate, steady = estimate.tokens_per_second, estimate.steady
    return {
        "tokens_per_second": rate.best,
        "tokens_per_second_low": rate.low,
        "tokens_per_second_high": rate.high,
        "running_requests": estimate.running_requests,
        "input_tokens": estimate.lengths.input_tokens,
        "output_tokens": estimate.lengths.output_tokens,
        "ttft_seconds": steady.ttft_seconds.best,
        "tpot_seconds": steady.tpot_seconds.best,
        "limit": steady.limit,
        "label": estimate.evidence.label,
        "row_ids": list(estimate.evidence.row_ids),
    }
