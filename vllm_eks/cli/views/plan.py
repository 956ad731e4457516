"""A plan as text: the memory of one GPU as a table, and all GPUs of all nodes as bars."""

from typing import TextIO

from vllm_eks.cli.views.screen import Line, Screen, Table, say, screen, show_table, table
from vllm_eks.cli.views.speed_labels import label_text
from vllm_eks.cli.views.stated import stated_lines
from vllm_eks.planner.hardware.prices import instance_price_source
from vllm_eks.planner.memory.stages import Layout, Stage
from vllm_eks.planner.ranges import Range
from vllm_eks.planner.search.cost import copy_nat_usd, s3_usd_per_month, start_nat_usd
from vllm_eks.planner.search.plan import Plan
from vllm_eks.planner.search.refusal_lines import refusal_lines
from vllm_eks.planner.search.throughput import Throughput
from vllm_eks.planner.search.vllm_args import vllm_args
from vllm_eks.planner.units import gib

HANG = 15
"""The column where the text of a header line begins, after its name."""
MAX_BAR_CELLS, MIN_BAR_CELLS = 44, 16
COLUMNS_BESIDE_BAR = 58
"""Width of the topology's branches, the GPU's number and its numbers."""

# (letter, style of its cells, name). The letters distinguish the parts. Colour is only a help.
SEGMENTS = (
    ("W", "white on blue", "weights"),
    ("A", "black on yellow", "activations"),
    ("O", "black on magenta", "overhead"),
    ("K", "black on cyan", "KV cache"),
    (".", "bright_black", "outside the budget"),
)


def show_plan(plan: Plan, *, region: str, out: "Screen | None" = None) -> None:
    """Print a plan that fits. `region` is the region of the printed zones."""
    out = out or screen()
    layout = plan.layout
    if layout is None:
        return
    for line in (*summary_lines(plan), *advice_lines(plan, region)):
        say(out, line, hang=HANG)
    out.print()
    show_table(out, memory_table(layout, out))
    out.print()
    show_gpus(plan, out)
    out.print()
    command = f"vllm serve {plan.model.id} {' '.join(_quoted(arg) for arg in vllm_args(plan))}"
    say(out, command, wraps=False)
    for warning in plan.warnings:
        say(out, f"warning: {warning}")
    for note in plan.notes:
        say(out, f"note: {note}")


def _quoted(argument: str) -> str:
    return f"'{argument}'" if " " in argument or '"' in argument else argument


def summary_lines(plan: Plan) -> list[str]:
    """Return the summary of a plan: layout, KV cache, price, start."""
    layout, options, instance = plan.layout, plan.options, plan.instance
    if plan.stated:
        return stated_lines(plan, plan.stated, price(plan))
    if layout is None:
        return []
    replicas = f", {plan.replicas} replicas" if plan.replicas > 1 else ""
    stages = "pipeline stages, one per node" if plan.nodes_per_replica > 1 else "all layers on one node"
    version = ".".join(map(str, options.version))
    low, high = plan.kv_cache_tokens_range
    return [
        f"{plan.model.id} on {plan.total_nodes} x {instance.type} ({instance.gpus} x {instance.gpu}): "
        f"{verdict_text(plan)}",
        f"  layout       TP={layout.tensor_parallel_size} (GPUs that share each layer), "
        f"PP={layout.pipeline_parallel_size} ({stages}){replicas}",
        f"  KV cache     {plan.kv_cache_tokens:,} tokens per replica ({low:,} to {high:,}): {plan.max_concurrency:g} "
        f"requests of {options.max_model_len:,} tokens at once (vLLM {version})",
        f"  context      {options.max_model_len:,} tokens planned; by the low estimate this layout supports up to "
        f"{plan.largest_context_tokens:,}",
        f"  margin       {gib(plan.margin_bytes):.2f} GiB per GPU beyond one such request, by the low estimate",
        f"  start        {plan.startup.budget_seconds:,} s budget from scheduled pod to first token",
        f"  price        {price(plan)}",
    ]


def verdict_text(plan: Plan) -> str:
    """Return the verdict in words, with what it rests on where that is an estimate."""
    words = {"fits": "fits", "likely_fits": "likely fits", "refused": "does not fit", "unknown": "not known"}
    estimated = ", by an estimate of the architecture" if plan.confidence == "estimated" else ""
    return words[plan.verdict] + estimated


def advice_lines(plan: Plan, region: str) -> list[str]:
    """Return information for choosing between types: the estimated throughput, the zones, and the steps of a start."""
    lines = _speed_lines(plan, plan.throughput) if plan.throughput else []
    zones = plan.instance.zone_ids.get(region)
    if plan.instance.zone_ids:
        known = ", ".join(zones) if zones else "none known"
        lines.append(f"  zones        {known} in {region} ({len(plan.instance.zone_ids)} regions offer the type)")
    steps = ", ".join(f"{name} {seconds:,.0f} s" for name, seconds in plan.startup.steps_seconds.items())
    lines.append(f"  its steps    {steps}")
    ways = ", ".join(f"{name} {seconds:,.0f} s" for name, seconds in plan.startup.other_ways_seconds.items())
    lines.append(f"  other ways   {ways}")
    start, once, a_month = start_nat_usd(plan, region), copy_nat_usd(plan, region), s3_usd_per_month(plan, region)
    lines.append(
        f"  weights      from the Hub: {usd(start)} for NAT at each start on new nodes; from S3: {usd(once)} for NAT "
        f"once and {usd(a_month)} a month ({region})"
    )
    return lines


def _speed_lines(plan: Plan, estimate: Throughput) -> list[str]:
    rate, lengths, steady = estimate.tokens_per_second, estimate.lengths, estimate.steady
    cost = plan.usd_per_million_tokens
    price_text = f", ${cost:.2f} per million" if cost is not None else ""
    return [
        f"  speed        {rate.best:,.0f} tokens/s ({rate.low:,.0f} to {rate.high:,.0f}) per replica{price_text}: "
        f"{estimate.running_requests} requests at once, {lengths.input_tokens:,.0f} tokens in, "
        f"{lengths.output_tokens:,.0f} out",
        f"               {1e3 * steady.tpot_seconds.best:.0f} ms a token; limited by {steady.limit}; "
        f"{label_text(estimate.evidence.label)} (docs/explanation/speed.md)",
    ]


def price(plan: Plan) -> str:
    """Return the price of the GPU nodes, and its source."""
    source = instance_price_source(plan.instance)
    if plan.usd_per_hour is None:
        return f"of one {plan.instance.type}: {source}"
    return f"${plan.usd_per_hour:.2f} an hour for the GPU nodes ({source})"


def usd(amount: float | None) -> str:
    """Return an amount in dollars, or that the price is unknown."""
    return "an unknown price" if amount is None else f"${amount:,.2f}"


def memory_table(layout: Layout, out: Screen) -> Table:
    """Return the memory of one GPU of the tightest stage, line by line, so that a reader can check it."""
    stage = layout.tightest
    where = f"stage {stage.index + 1} of {layout.pipeline_parallel_size}" if layout.pipeline_parallel_size > 1 else ""
    columns = ("GiB", "low", "high", "one GPU" + (f" on {where}, the tightest" if where else ""), "rule")
    made = table(out, *columns, right=frozenset(columns[:3]))
    made.add_row(
        f"{gib(stage.budget_bytes):.2f}", "", "", "budget", f"utilization x {gib(stage.total_bytes):.2f} GiB reported"
    )
    for term in stage.terms:
        made.add_row(*_figures(term.bytes, sign="-"), term.name, term.rule)
    made.add_row(*_figures(stage.kv_cache), "KV cache", _kv_rule(stage))
    if stage.outside_budget.high:
        made.add_row(*_figures(stage.outside_budget), "CUDA graphs", "outside the budget in this version")
    return made


def _figures(size: Range, sign: str = "") -> tuple[str, str, str]:
    return f"{sign}{gib(size.best):.2f}", f"{gib(size.low):.2f}", f"{gib(size.high):.2f}"


def _kv_rule(stage: Stage) -> str:
    cache = stage.cache
    groups = f", {len(cache.groups)} groups of layers" if len(cache.groups) > 1 else ""
    return f"{stage.kv_bytes_per_token:,} B per token and GPU, blocks of {cache.block_tokens} tokens{groups}"


def show_gpus(plan: Plan, out: Screen) -> None:
    """Print each GPU of each node of one replica as a bar, with the layers of its stage."""
    for node in range(plan.nodes_per_replica):
        head = f"node {node + 1}" if plan.nodes_per_replica > 1 else "node"
        say(out, f"{head}  {plan.instance.type}  {node_contents(plan, node)}")
        for line in gpu_lines(plan, node, out):
            say(out, (("  ", ""), *line))
    say(out, (("  ", ""), *legend()))


def legend() -> Line:
    """Return the legend of the bars."""
    return [part for letter, style, name in SEGMENTS for part in ((letter, style), (f" {name}  ", ""))]


def node_contents(plan: Plan, node: int) -> str:
    """Return which part of which replica is on a node. Nodes are counted from 0 over all replicas."""
    layout = plan.layout
    if layout is None:
        return "memory unknown" if plan.stated else ""
    which = "; ".join(stage_contents(stage, layout) for stage in _stages_on(plan, layout, node))
    if plan.replicas == 1 or plan.nodes_per_replica == 1:
        return which
    return f"replica {node // plan.nodes_per_replica + 1}, {which}"


def gpu_lines(plan: Plan, node: int, out: Screen) -> list[Line]:
    """Return a line for each GPU of a node: a bar of its memory, or that it is idle."""
    layout = plan.layout
    if layout is None:
        return []
    stages, places, of_pod = _stages_on(plan, layout, node), plan.replicas_per_node, plan.gpus_per_pod
    before = node * places if plan.nodes_per_replica == 1 else 0
    here = min(places, plan.replicas - before)
    lines: list[Line] = []
    for gpu in range(plan.instance.gpus):
        stage = stages[gpu % of_pod // layout.tensor_parallel_size]
        replica = f"replica {before + gpu // of_pod + 1} " if places > 1 and plan.replicas > 1 else ""
        which = f"stage {stage.index + 1} " if len(stages) > 1 else ""
        used = gpu < here * of_pod
        drawn = ((replica + which, ""), *bar(stage, out)) if used else (("idle", "bright_black"),)
        lines.append(((f"GPU {gpu} ", ""), *drawn))
    return lines


def _stages_on(plan: Plan, layout: Layout, node: int) -> tuple[Stage, ...]:
    """Return the stages on a node: all of a replica, or the one for its place in the group."""
    if plan.nodes_per_replica == 1:
        return layout.stages
    return (layout.stages[node % plan.nodes_per_replica],)


def stage_contents(stage: Stage, layout: Layout) -> str:
    """Return the layers of a stage."""
    last = stage.first_layer + stage.layers - 1
    ends = [name for name, there in (("embedding", stage.index == 0), ("head", stage is layout.stages[-1])) if there]
    return f"layers {stage.first_layer}-{last}" + (f", {', '.join(ends)}" if ends else "")


def bar(stage: Stage, out: Screen) -> Line:
    """Return one GPU's memory as a bar, and its KV cache in GiB."""
    sizes = (
        stage.loaded_bytes,
        stage.activations.size_bytes,
        stage.overhead_bytes,
        max(0.0, stage.kv_cache_bytes),
        stage.total_bytes - stage.budget_bytes,
    )
    cells = max(MIN_BAR_CELLS, min(MAX_BAR_CELLS, out.width - COLUMNS_BESIDE_BAR))
    made: list[tuple[str, str]] = []
    begun, drawn = 0.0, 0
    for (letter, style, _), size in zip(SEGMENTS, sizes, strict=True):
        begun += size
        upto = round(begun / stage.total_bytes * cells)
        made.append((letter * max(0, upto - drawn), style))
        drawn = max(drawn, upto)
    made.append((f" {gib(stage.loaded_bytes):.2f} GiB weights, {gib(stage.kv_cache_bytes):.2f} KV", ""))
    return made


def show_refusal(plan: Plan, stream: TextIO) -> None:
    """Print all layouts that were tried with their numbers, and suggestions."""
    out = screen(stream)
    say(out, f"{plan.model.id} does not fit {plan.instance.type}:")
    for line in refusal_lines(plan):
        say(out, f"  {line}")
