"""All types in the catalogue side by side, as text."""

from collections.abc import Callable, Sequence

from vllm_eks.cli.views.screen import Screen, say, screen, show_table, table
from vllm_eks.planner.hardware.instances import REFERENCE_REGION
from vllm_eks.planner.hardware.prices import price_dates
from vllm_eks.planner.models.known_models import ModelFacts
from vllm_eks.planner.search.compare import lowest_price
from vllm_eks.planner.search.plan import Plan
from vllm_eks.planner.search.plan_warnings import machines
from vllm_eks.planner.search.throughput import INPUT_TOKENS, MOST_REQUESTS, OUTPUT_TOKENS

# (heading, cell)
COLUMNS: tuple[tuple[str, Callable[[Plan, str], str]], ...] = (
    ("instance type", lambda plan, region: plan.instance.type),
    ("fit", lambda plan, region: "sure" if plan.verdict == "fits" else "likely"),
    ("nodes", lambda plan, region: str(plan.total_nodes)),
    ("USD/h", lambda plan, region: _or_unknown(plan.usd_per_hour)),
    ("TP x PP", lambda plan, region: _sizes(plan)),
    ("KV tokens", lambda plan, region: f"{plan.kv_cache_tokens:,}"),
    ("requests", lambda plan, region: f"{plan.max_concurrency:g}"),
    ("context", lambda plan, region: f"{plan.largest_context_tokens:,}"),
    ("seqs", lambda plan, region: str(plan.options.max_num_seqs)),
    ("~ tokens/s", lambda plan, region: _tokens_per_second(plan)),
    ("~ USD/Mtok", lambda plan, region: _or_unknown(plan.usd_per_million_tokens)),
    ("idle", lambda plan, region: str(plan.idle_gpus)),
    ("GDR", lambda plan, region: _yes_or_no(plan.instance.gpudirect_rdma)),
    ("zones", lambda plan, region: _zones(plan, region)),
    ("GPUs", lambda plan, region: _gpus(plan)),
)
LEFT = {"instance type", "fit", "zones", "GPUs", "GDR"}


SORTED_BY = {
    "recommended": "types of the region, certain fits, full context, one node per replica and measured GPU memory "
    "first, then by token price",
    "price": "by price",
    "token-price": "by token price",
    "throughput": "by tokens/s, highest first",
}


def show_comparison(
    model: ModelFacts,
    plans: Sequence[Plan],
    *,
    best: Plan | None,
    order: str,
    region: str,
    out: "Screen | None" = None,
) -> None:
    """Print the recommended type, and then all that fit. On a narrow screen a type takes two lines."""
    out = out or screen()
    fitting = [plan for plan in plans if plan.fits]
    headings = [heading for heading, _ in COLUMNS]
    say(out, f"{model.id}: {len(fitting)} of {len(plans)} types fit")
    say(out, f"recommended: {_in_words(best)}")
    lowest = lowest_price(plans)
    if lowest is not best:
        say(out, f"lowest price: {_in_words(lowest)}")
    say(out, f"sorted: {SORTED_BY[order]}")
    made = table(out, *headings, right=frozenset(set(headings) - LEFT))
    for plan in fitting:
        made.add_row(*(cell(plan, region) for _, cell in COLUMNS))
    show_table(out, made)
    say(out, _prices(fitting, region))
    say(
        out,
        "context: the longest that fits by the low estimate; seqs: --max-num-seqs, lowered if the default does not fit",
    )
    say(
        out,
        f"tokens/s, USD/Mtok: estimates for full replicas, with at most {MOST_REQUESTS} requests at once of "
        f"{INPUT_TOKENS:,} tokens in and {OUTPUT_TOKENS} out",
    )
    say(out, f"zones: known to offer the type in {region}; GDR: GPUDirect RDMA between nodes")


def _in_words(plan: Plan | None) -> str:
    if plan is None or plan.layout is None:
        return "none"
    tokens = plan.usd_per_million_tokens
    price = f", ~ ${tokens:.2f} a million tokens" if tokens is not None else ""
    return f"{plan.layout.label} on {machines(plan)}{price}"


def _prices(plans: Sequence[Plan], region: str) -> str:
    listed = [f"{region}, on demand, Linux, {price_dates()[region]}"] if region in price_dates() else []
    unknown = [plan for plan in plans if plan.instance.price_region == region and plan.usd_per_hour is None]
    if not unknown:
        return f"USD/h: {'; '.join(listed)}"
    parts = (
        *listed,
        f"unknown in {region} for {len(unknown)} types, ranked by their price in {REFERENCE_REGION}",
        f"vllm-eks catalog refresh --region {region} asks AWS",
    )
    return f"USD/h: {'; '.join(parts)}"


def _or_unknown(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}"


def _sizes(plan: Plan) -> str:
    layout = plan.layout
    return f"{layout.tensor_parallel_size} x {layout.pipeline_parallel_size}" if layout else ""


def _tokens_per_second(plan: Plan) -> str:
    estimate = plan.throughput
    return f"{estimate.tokens_per_second.best * plan.replicas:,.0f}" if estimate else "unknown"


def _zones(plan: Plan, region: str) -> str:
    zones = plan.instance.zone_ids.get(region, ())
    return ",".join(zone.rpartition("-")[2] for zone in zones) or "none known"


def _gpus(plan: Plan) -> str:
    estimate = " (memory estimated)" if plan.instance.gpu_memory_source == "estimate" else ""
    return f"{plan.instance.gpus} x {plan.instance.gpu}{estimate}"


def _yes_or_no(value: bool | None) -> str:
    return "?" if value is None else "yes" if value else "no"
