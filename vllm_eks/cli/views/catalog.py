"""The differences after a refresh of the catalogue, as text."""

from collections.abc import Mapping, Sequence

from vllm_eks.catalog.catalog_merge import AwsAnswers, Merged
from vllm_eks.catalog.catalog_rows import not_known
from vllm_eks.planner.hardware.instances import InstanceType


def refresh_lines(merged: Merged, regions: Sequence[str]) -> list[str]:
    """Return the differences, a line for each type, and remarks."""
    lines = [_added(row) for row in merged.added]
    lines += [f"changed {type_}: {'; '.join(found)}" for type_, found in merged.changed.items()]
    if merged.kept:
        lines.append(f"kept, not listed in {' or '.join(regions)}: {', '.join(merged.kept)}")
    lines += [f"left out {', '.join(types)}: {reason}" for reason, types in merged.left_out.items()]
    lines += [f"check: {remark}" for remark in merged.remarks]
    same = len(merged.rows) - len(merged.added) - len(merged.changed)
    lines.append(f"{len(merged.added)} added, {len(merged.changed)} changed, {same} unchanged")
    return lines


def _added(row: InstanceType) -> str:
    prices = [f"{usd} USD/h in {region}" for region, usd in row.usd_per_hour_by_region.items()]
    price = ", ".join(prices) or "no price"
    memory = f"{row.gpu_memory_gib:.2f} GiB usable each ({row.gpu_memory_source})"
    gaps = not_known(row)
    return f"added {row.type}: {row.gpus} x {row.gpu}, {memory}, {price}" + (
        f"; unknown: {', '.join(gaps)}" if gaps else ""
    )


def price_line(merged: Merged, dates: Mapping[str, str], answers: AwsAnswers) -> str:
    """Return the catalogue's current prices, and why others are missing. `dates` are the dates of the prices by
    region."""
    region = answers.price_region
    if answers.why_no_prices:
        before = f"unchanged, from {dates[region]}" if region in dates else "none are known"
        return f"prices in {region}: {before}: {answers.why_no_prices}"
    without = [row.type for row in merged.rows if region not in row.usd_per_hour_by_region]
    return f"prices in {region}: on demand, Linux, {dates[region]}" + (
        f"; none for {', '.join(without)}" if without else ""
    )
