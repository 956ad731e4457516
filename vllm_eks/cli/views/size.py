"""The machines for a load, as text: the answer in one line, then three tables with a line for each candidate.

Each table fits in 80 columns. The letters of the candidates are those of the plot.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from vllm_eks.cli.views.load_plot import plot_lines
from vllm_eks.cli.views.screen import Screen, say, screen, show_table, table
from vllm_eks.cli.views.size_text import (
    LETTERS,
    limit_text,
    price_lines,
    range_text,
    replay_text,
    traffic_text,
    verdict_text,
)
from vllm_eks.planner.load.numbers import significant
from vllm_eks.planner.load.service_level import Latency, duration
from vllm_eks.planner.sizing.choice import SizeAnswer
from vllm_eks.planner.sizing.sized import SizedPlan

PERCENTILES = (50, 90, 99)
SHOWN_ROW_IDS = 3
NO_VALUE = "none"


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of a table."""

    heading: str
    cell: Callable[[SizedPlan], str]
    is_number: bool = True


MACHINES = (
    Column(
        heading="machines",
        cell=lambda row: f"{row.plan.total_nodes:,} x {row.plan.instance.type}",
        is_number=False,
    ),
    Column(heading="TP x PP", cell=lambda row: _sizes(row)),
    Column(heading="replicas", cell=lambda row: f"{row.plan.replicas:,}"),
    Column(heading="seqs", cell=lambda row: str(row.plan.options.max_num_seqs)),
    Column(heading="context", cell=lambda row: f"{row.plan.options.max_model_len:,}"),
    Column(heading="USD/h", cell=lambda row: _usd(row.plan.usd_per_hour)),
    Column(heading="label", cell=lambda row: row.replica.speed.evidence.label, is_number=False),
)
AT_LOAD = (
    Column(heading="TTFT p50/p90/p99", cell=lambda row: _latency(row, "ttft")),
    Column(heading="ITL p50/p90/p99", cell=lambda row: _latency(row, "itl")),
    Column(heading="KV", cell=lambda row: f"{row.at_load.kv_use:.0%}"),
    Column(heading="tokens/s", cell=lambda row: f"{row.output_tokens_per_second:,.0f}"),
    Column(heading="USD/Mtok", cell=lambda row: _usd(row.usd_per_million_tokens(row.output_tokens_per_second))),
)


def _when_full(load: str) -> tuple[Column, ...]:
    return (
        Column(heading=f"{load} (range)", cell=lambda row: f"{_most(row)} ({range_text(row)})"),
        Column(heading="tokens/s (range)", cell=lambda row: _tokens(row)),
        Column(
            heading="USD/Mtok", cell=lambda row: _usd(row.usd_per_million_tokens(row.full_output_tokens_per_second))
        ),
        Column(heading="then limited by", cell=lambda row: limit_text(row.limit), is_number=False),
    )


def show_size(answer: SizeAnswer, *, spot: bool, out: "Screen | None" = None) -> None:
    """Print the recommended machines, the others, and latency against load."""
    out = out or screen()
    question = answer.question
    say(out, verdict_text(answer, spot=spot))
    say(out, f"for {question.model.id}: {traffic_text(question.traffic)}")
    headroom = f", headroom {question.headroom:.0%}" if question.headroom else ""
    nearest = "" if answer.is_met else f"; the machines below meet {answer.level.label}"
    say(out, f"service level: {question.level.label}{headroom}{nearest}")
    out.print()
    _show(out, answer, MACHINES)
    out.print()
    say(out, f"at {question.traffic.load_label}:")
    _show(out, answer, AT_LOAD)
    out.print()
    within = f" within the {'' if answer.is_met else 'nearest '}service level" if question.level.limits else ""
    say(out, f"largest load{within}:")
    _show(out, answer, _when_full("requests/s" if question.traffic.is_open else "users"))
    out.print()
    for line in plot_lines(answer):
        say(out, line, wraps=False)
    out.print()
    for line in (*_notes(answer), *price_lines(answer, spot=spot)):
        say(out, line)


def _show(out: Screen, answer: SizeAnswer, columns: tuple[Column, ...]) -> None:
    numbers = frozenset(column.heading for column in columns if column.is_number)
    made = table(out, "", *(column.heading for column in columns), right=numbers)
    for letter, row in zip(LETTERS, answer.rows, strict=False):
        made.add_row(letter, *(column.cell(row) for column in columns))
    show_table(out, made)


def _notes(answer: SizeAnswer) -> Iterator[str]:
    likely = [letter for letter, row in zip(LETTERS, answer.rows, strict=False) if row.plan.verdict != "fits"]
    if likely:
        yield f"likely fit, but not surely: {', '.join(likely)}"
    for letter, row in zip(LETTERS, answer.rows, strict=False):
        ids = row.replica.speed.evidence.row_ids
        if ids:
            more = f" and {len(ids) - SHOWN_ROW_IDS} more (--json)" if len(ids) > SHOWN_ROW_IDS else ""
            yield f"measurements of {letter}: {', '.join(ids[:SHOWN_ROW_IDS])}{more}"
    yield "label: what the speed rests on (measured, derived or estimated); ranges hold four of five measurements"
    yield replay_text(answer.question.level)


def _sizes(row: SizedPlan) -> str:
    sizes = row.plan.sizes
    return f"{sizes.tensor_parallel_size} x {sizes.pipeline_parallel_size}" if sizes else ""


def _latency(row: SizedPlan, name: Latency) -> str:
    if name == "itl" and not row.at_load.mean_step_seconds:
        return NO_VALUE
    return "/".join(duration(row.at_load.percentile(name, percentile)) for percentile in PERCENTILES)


def _most(row: SizedPlan) -> str:
    is_open, load = row.replica.traffic.is_open, row.total_largest_load
    return significant(load, 4) if is_open else f"{load:,.0f}"


def _tokens(row: SizedPlan) -> str:
    full = row.replica.speed.evidence.spread.output * row.full_output_tokens_per_second
    return f"{full.best:,.0f} ({significant(full.low, 3)} to {significant(full.high, 3)})"


def _usd(value: float | None) -> str:
    return "unknown" if value is None else f"{value:,.2f}"
