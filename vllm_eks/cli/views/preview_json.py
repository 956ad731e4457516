"""The `--json` object of a preview. Its keys are a contract: keys may be added, but not removed."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from vllm_eks.cli.views.cost import bill
from vllm_eks.cli.views.plan_json import plan_json
from vllm_eks.cli.views.preview_answer import answer, warnings_of
from vllm_eks.cli.views.usage_costs import UsageRate, usage_rates
from vllm_eks.planner.search.cost import known_usd, total_usd
from vllm_eks.planner.search.gpu_nodes import GpuNodes
from vllm_eks.preview.recording import Recording


def preview_json(recording: Recording, stack: str) -> dict[str, Any]:
    """Return the whole object. For a refused stack, `resources` is empty and the price includes no infrastructure."""
    said = answer(recording)
    return {
        "stack": stack,
        "region": recording.region,
        "verdict": said.verdict,
        "answer": said.line,
        "models": {name: _model(nodes, recording.clients.get(name, ())) for name, nodes in recording.fleet.items()},
        "checks": [
            {"status": check.status, "subject": check.subject, "text": check.text} for check in recording.checks
        ],
        "warnings": warnings_of(recording),
        "price": _price(recording),
        "resources": dict(sorted(Counter(one.type for one in recording.registrations if one.is_custom).items())),
    }


def _model(nodes: GpuNodes, clients: Sequence[str]) -> dict[str, Any]:
    return {
        "zones": list(nodes.zones),
        "capacity_type": nodes.capacity_type,
        "parked": nodes.parked,
        "running_nodes": nodes.total if nodes.plan.fits else 0,
        "clients": list(clients),
        "plan": plan_json(nodes.plan),
    }


def _price(recording: Recording) -> dict[str, Any]:
    parts = [] if recording.refusal else bill(recording)
    return {
        "region": recording.region,
        "usd_per_hour": None if recording.refusal else total_usd(parts),
        "usd_per_hour_at_least": known_usd(parts),
        "parts": [
            {"part": part.part, "what": part.what, "usd_per_hour": part.usd_per_hour, "price_of": part.price_of}
            for part in parts
        ],
        "by_usage": [] if recording.refusal else list(map(_usage_rate, usage_rates(recording))),
    }


def _usage_rate(rate: UsageRate) -> dict[str, Any]:
    return {"part": rate.part, "unit": rate.unit, "usd": rate.usd, "price_of": rate.price_of}
