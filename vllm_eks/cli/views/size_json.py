"""The `--json` object of `vllm-eks size`. Its keys are a contract: keys may be added, but not removed."""

from collections.abc import Mapping
from typing import Any

from vllm_eks.cli.views.plan_json import model_json
from vllm_eks.cli.views.size_text import reference_usd_per_hour
from vllm_eks.planner.hardware.prices import price_dates
from vllm_eks.planner.load.service_level import NAMES, Latency, ServiceLevel
from vllm_eks.planner.load.traffic import Traffic
from vllm_eks.planner.ranges import Range
from vllm_eks.planner.sizing.choice import SizeAnswer
from vllm_eks.planner.sizing.largest import Largest
from vllm_eks.planner.sizing.sized import SizedPlan

PERCENTILES = (50, 90, 99)


def size_json(answer: SizeAnswer, *, spot: bool) -> dict[str, Any]:
    """Return the whole object."""
    question, more = answer.question, answer.too_many_nodes
    return {
        "model": model_json(question.model),
        "traffic": _traffic(question.traffic),
        "service_level": _level(question.level),
        "headroom": question.headroom,
        "region": question.region,
        "capacity_type": "spot" if spot else "onDemand",
        "met": answer.is_met,
        "recommended": answer.rows[0].plan.instance.type if answer.is_met else None,
        "nearest_service_level": None if answer.is_met or not answer.rows else _level(answer.level),
        "least_nodes": more.nodes if more else None,
        "least_nodes_instance_type": more.candidate.plan.instance.type if more else None,
        "largest_load": _largest(answer.largest) if answer.largest else None,
        "price_date": price_dates().get(question.region),
        "candidates": [_row(row) for row in answer.rows],
    }


def _traffic(traffic: Traffic) -> dict[str, Any]:
    lengths = traffic.lengths
    return {
        "requests_per_second": traffic.requests_per_second,
        "concurrent_users": traffic.concurrent_users,
        "think_seconds": traffic.think_seconds,
        "input_tokens": lengths.input.tokens,
        "output_tokens": lengths.output.tokens,
        "lengths_vary": lengths.input.varies or lengths.output.varies,
        "longest_request_tokens": lengths.longest_request,
        "shared_prefix_tokens": traffic.shared_prefix_tokens,
    }


def _level(level: ServiceLevel) -> dict[str, Any]:
    limits = level.limits
    return {
        name: {"seconds": limits[name].seconds, "percentile": limits[name].percentile} if name in limits else None
        for name in NAMES
    }


def _row(row: SizedPlan) -> dict[str, Any]:
    plan, evidence = row.plan, row.replica.speed.evidence
    full = evidence.spread.output * row.full_output_tokens_per_second
    largest = evidence.spread.output * row.total_largest_load
    return {
        "instance": {"type": plan.instance.type, "gpu": plan.instance.gpu, "gpus": plan.instance.gpus},
        "nodes": plan.total_nodes,
        "nodes_per_replica": plan.nodes_per_replica,
        "replicas": plan.replicas,
        "tensor_parallel_size": plan.sizes.tensor_parallel_size if plan.sizes else None,
        "pipeline_parallel_size": plan.sizes.pipeline_parallel_size if plan.sizes else None,
        "max_num_seqs": plan.options.max_num_seqs,
        "max_model_len": plan.options.max_model_len,
        "verdict": plan.verdict,
        "output_tokens_per_second": row.output_tokens_per_second,
        "output_tokens_per_second_when_full": _range(full),
        "requests_per_second_when_full": _range(evidence.spread.output * row.full_requests_per_second),
        "users_when_full": None if row.replica.traffic.is_open else row.total_largest_load,
        "users_when_full_range": None if row.replica.traffic.is_open else _range(largest),
        "ttft_seconds": _latency(row, "ttft", evidence.spread.ttft),
        "itl_seconds": _latency(row, "itl", evidence.spread.tpot),
        "e2e_seconds": _latency(row, "e2e", evidence.spread.tpot),
        "kv_use": row.at_load.kv_use,
        "preemptions": row.at_load.preemptions,
        "limit": {"service_level": row.limit.broken, "resource": row.limit.pressed},
        "cost": {
            "usd_per_hour": plan.usd_per_hour,
            "reference_usd_per_hour": reference_usd_per_hour(row),
            "usd_per_million_tokens": row.usd_per_million_tokens(row.output_tokens_per_second),
            "usd_per_million_tokens_when_full": row.usd_per_million_tokens(row.full_output_tokens_per_second),
        },
        "label": evidence.label,
        "row_ids": list(evidence.row_ids),
    }


def _range(values: Range) -> dict[str, float]:
    return {"low": values.low, "best": values.best, "high": values.high}


def _largest(largest: Largest) -> dict[str, Any]:
    return {"within_service_level": bool(largest.level.limits), "machines": _row(largest.row)}


def _latency(row: SizedPlan, name: Latency, spread: Range) -> dict[str, Any]:
    if name == "itl" and not row.at_load.mean_step_seconds:
        return {**{f"p{percentile}": None for percentile in PERCENTILES}, "p50_range": None}
    values = {f"p{percentile}": row.at_load.percentile(name, percentile) for percentile in PERCENTILES}
    return {**values, "p50_range": _range(spread * values["p50"])}


SIZE_KEYS: Mapping[str, str] = {
    "model": "The model: the keys of `plan --json`.",
    "traffic.requests_per_second": "The mean rate of requests, or null.",
    "traffic.concurrent_users": "The users at the same time, or null.",
    "traffic.think_seconds": "The mean time between an answer and the next request of a user, in seconds.",
    "traffic.input_tokens": "The mean number of input tokens.",
    "traffic.output_tokens": "The mean number of output tokens.",
    "traffic.lengths_vary": "Whether lengths vary around these means.",
    "traffic.longest_request_tokens": "The input and output tokens of the longest request.",
    "traffic.shared_prefix_tokens": "The input tokens that all requests share.",
    "service_level": "The requested limits `ttft`, `itl` and `e2e`: `seconds` and `percentile`, or null.",
    "headroom": "The share of the load that must fit in addition.",
    "region": "The region of the prices.",
    "capacity_type": "`onDemand` or `spot`. Prices are on demand.",
    "met": "Whether machines meet the service level.",
    "recommended": "The recommended instance type, or null if no machines meet the service level.",
    "nearest_service_level": "If no machines meet the service level: the nearest one that the only candidate meets.",
    "least_nodes": "If the load needs more nodes than allowed: how many at least.",
    "least_nodes_instance_type": "The type of these nodes, or null.",
    "largest_load": (
        "If the load needs more nodes than allowed: `machines`, those with the largest load on the allowed nodes, with "
        "the keys of a candidate at this load, and `within_service_level`, false if they meet it at no load. Or null."
    ),
    "price_date": "The date of the region's prices, or null if they are unknown.",
    "candidates": "The machines, the recommended ones first. The keys below.",
    "candidates.instance": "`type`, `gpu` and `gpus`.",
    "candidates.nodes": "The nodes of all replicas.",
    "candidates.nodes_per_replica": "The nodes of one replica.",
    "candidates.replicas": "The number of replicas.",
    "candidates.tensor_parallel_size": "The tensor parallel size.",
    "candidates.pipeline_parallel_size": "The pipeline parallel size.",
    "candidates.max_num_seqs": "`--max-num-seqs`.",
    "candidates.max_model_len": "`--max-model-len`.",
    "candidates.verdict": "`fits` or `likely_fits`.",
    "candidates.output_tokens_per_second": "Output tokens per second of all replicas at the load.",
    "candidates.output_tokens_per_second_when_full": "The same at the largest load: `low`, `best` and `high`.",
    "candidates.requests_per_second_when_full": (
        "Requests per second of all replicas at the largest load within the service level: `low`, `best` and `high`."
    ),
    "candidates.users_when_full": "The users at the largest load, or null for a rate.",
    "candidates.users_when_full_range": "The same users as `low`, `best` and `high`, or null for a rate.",
    "candidates.ttft_seconds": "The time to first token at `p50`, `p90` and `p99`, and the range of `p50`.",
    "candidates.itl_seconds": (
        "The time between two tokens of a request, with the same keys. Null values if answers have one token."
    ),
    "candidates.e2e_seconds": "The time of a whole request, with the same keys.",
    "candidates.kv_use": "The share of the KV cache in use, on average.",
    "candidates.preemptions": "Preemptions in the replay of one replica.",
    "candidates.limit": (
        "What limits a larger load: `service_level`, the limit that breaks first, or null if the queue grows before; "
        "and `resource`: `kv`, `seqs` (maxNumSeqs), `bandwidth`, `flops`, `link` or `overhead`."
    ),
    "candidates.cost": (
        "`usd_per_hour`, `usd_per_million_tokens` (output tokens at the load) and `usd_per_million_tokens_when_full`. "
        "Null if the price is unknown. `reference_usd_per_hour`: in us-east-1, which ranks types of unknown price."
    ),
    "candidates.label": (
        "What the speed rests on: `measured` (the same model, number format, GPU and parallel sizes), `derived` or "
        "`estimated`."
    ),
    "candidates.row_ids": "The IDs of these measurements.",
}
