"""Every type of the catalogue side by side, for people."""

from collections.abc import Callable, Sequence

from cli.screen import console, table
from planner.instances import prices_of
from planner.models import ModelFacts
from planner.plan import Plan
from planner.roofline import FORMULA

WIDE_COLUMNS = 150
MIDDLE_COLUMNS = 100

# (heading, least width of screen, cell)
COLUMNS: tuple[tuple[str, int, Callable[[Plan, str], str]], ...] = (
    ("instance type", 0, lambda plan, region: plan.instance.type),
    ("nodes", 0, lambda plan, region: str(plan.total_nodes)),
    ("USD/h", 0, lambda plan, region: _or_unknown(plan.usd_per_hour)),
    ("TP x PP", 0, lambda plan, region: _sizes(plan)),
    ("KV tokens", 0, lambda plan, region: f"{plan.kv_cache_tokens:,}"),
    ("requests", 0, lambda plan, region: f"{plan.max_concurrency:g}"),
    ("context", 0, lambda plan, region: f"{plan.largest_context_tokens:,}"),
    ("<= tokens/s", MIDDLE_COLUMNS, lambda plan, region: _tokens_per_second(plan)),
    (">= USD/Mtok", MIDDLE_COLUMNS, lambda plan, region: _or_unknown(plan.usd_per_million_tokens)),
    ("idle", WIDE_COLUMNS, lambda plan, region: str(plan.idle_gpus)),
    ("GDR", WIDE_COLUMNS, lambda plan, region: _yes_or_no(plan.instance.gpudirect_rdma)),
    ("zones", WIDE_COLUMNS, lambda plan, region: _zones(plan, region)),
    ("GPUs", MIDDLE_COLUMNS, lambda plan, region: _gpus(plan)),
)
LEFT = {"instance type", "zones", "GPUs", "GDR"}


def show_comparison(model: ModelFacts, plans: Sequence[Plan], *, region: str) -> None:
    """Print the types that fit, the cheapest first; a narrow screen gets fewer columns."""
    out = console()
    fitting = [plan for plan in plans if plan.fits]
    columns = [(heading, cell) for heading, least, cell in COLUMNS if out.width >= least]
    headings = [heading for heading, _ in columns]
    out.print(f"{model.id}: {len(fitting)} of {len(plans)} types fit, the cheapest first ({prices_of()})", markup=False)
    made = table(out, *headings, right=frozenset(set(headings) - LEFT))
    for plan in fitting:
        made.add_row(*(cell(plan, region) for _, cell in columns))
    out.print(made)
    out.print("context: the longest that fits on the cautious side", markup=False)
    if "<= tokens/s" in headings:
        out.print(f"tokens/s, USD/Mtok: bounds, not promises: {FORMULA}", markup=False, soft_wrap=True)
    if "zones" in headings:
        out.print(f"zones: known to offer the type in {region}; GDR: GPUDirect RDMA between nodes", markup=False)


def _or_unknown(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}"


def _sizes(plan: Plan) -> str:
    layout = plan.layout
    return f"{layout.tensor_parallel_size} x {layout.pipeline_parallel_size}" if layout else ""


def _tokens_per_second(plan: Plan) -> str:
    bound = plan.roofline
    return f"{bound.tokens_per_second * plan.replicas:,.0f}" if bound else "unknown"


def _zones(plan: Plan, region: str) -> str:
    zones = plan.instance.zone_ids.get(region, ())
    return ",".join(zone.rpartition("-")[2] for zone in zones) or "none known"


def _gpus(plan: Plan) -> str:
    estimate = " (memory estimated)" if plan.instance.gpu_memory_source == "estimate" else ""
    return f"{plan.instance.gpus} x {plan.instance.gpu}{estimate}"


def _yes_or_no(value: bool | None) -> str:
    return "?" if value is None else "yes" if value else "no"
