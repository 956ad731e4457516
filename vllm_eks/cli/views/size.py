"""The machines for a load, as text."""

from collections.abc import Callable

from rich.console import Console

from vllm_eks.cli.views.load_plot import plot_lines
from vllm_eks.cli.views.screen import console, say, table
from vllm_eks.cli.views.size_text import limit_text, machines_text, most_text, traffic_text
from vllm_eks.planner.hardware.prices import price_dates
from vllm_eks.planner.load.service_level import Latency, duration
from vllm_eks.planner.sizing.choice import SizeAnswer
from vllm_eks.planner.sizing.sized import SizedPlan

PERCENTILES = (50, 90, 99)

# (heading, cell)
COLUMNS: tuple[tuple[str, Callable[[SizedPlan], str]], ...] = (
    ("machines", lambda row: f"{row.plan.total_nodes} x {row.plan.instance.type}"),
    ("TP x PP", lambda row: _sizes(row)),
    ("replicas", lambda row: str(row.plan.replicas)),
    ("seqs", lambda row: str(row.plan.options.max_num_seqs)),
    ("context", lambda row: f"{row.plan.options.max_model_len:,}"),
    ("TTFT p50/p90/p99", lambda row: _latency(row, "ttft")),
    ("ITL p50/p90/p99", lambda row: _latency(row, "itl")),
    ("KV", lambda row: f"{row.at_load.kv_use:.0%}"),
    ("tokens/s", lambda row: f"{row.output_tokens_per_second:,.0f}"),
    ("most load", lambda row: most_text(row)),
    ("limit", lambda row: limit_text(row.limit)),
    ("USD/h", lambda row: _usd(row.plan.usd_per_hour)),
    ("USD/Mtok", lambda row: _usd(row.usd_per_million_tokens(row.output_tokens_per_second))),
    ("when full", lambda row: _usd(row.usd_per_million_tokens(row.full_output_tokens_per_second))),
    ("label", lambda row: row.replica.speed.evidence.label),
)
LEFT = {"machines", "most load", "limit", "label"}


def show_size(answer: SizeAnswer, *, spot: bool, out: Console | None = None) -> None:
    """Print the recommended machines, the others, and latency against load."""
    out = out or console()
    question, first = answer.question, answer.rows[0]
    say(out, f"{question.model.id}: {traffic_text(question.traffic)}")
    headroom = f", headroom {question.headroom:.0%}" if question.headroom else ""
    say(out, f"service level: {answer.level.label}{headroom}")
    if answer.is_met:
        say(out, f"recommended: {machines_text(first)}")
        say(out, f"most load: {most_text(first)}, then {limit_text(first.limit)}")
    shown = table(out, *(heading for heading, _ in COLUMNS), right=frozenset({h for h, _ in COLUMNS} - LEFT))
    for row in answer.rows:
        shown.add_row(*(cell(row) for _, cell in COLUMNS))
    out.print(shown)
    for line in plot_lines(answer):
        out.print(line, markup=False, no_wrap=True)
    say(
        out,
        "percentiles are from a replay of vLLM's scheduler; ranges hold four of five measurements; label: what the "
        "speed rests on (measured, derived or estimated)",
    )
    date = price_dates().get(question.region)
    listed = f", {date}" if date else ", unknown: vllm-eks catalog refresh asks AWS"
    spot_note = "; spot is lower and varies" if spot else ""
    say(out, f"USD: {question.region}, on demand, Linux{listed}{spot_note}")


def _sizes(row: SizedPlan) -> str:
    sizes = row.plan.sizes
    return f"{sizes.tensor_parallel_size} x {sizes.pipeline_parallel_size}" if sizes else ""


def _latency(row: SizedPlan, name: Latency) -> str:
    return " / ".join(duration(row.at_load.percentile(name, percentile)) for percentile in PERCENTILES)


def _usd(value: float | None) -> str:
    return "unknown" if value is None else f"{value:,.2f}"
