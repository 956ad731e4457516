"""`vllm-eks catalog refresh`: ask AWS what GPU types there are, and say what that changed in the catalogue."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from vllm_eks.catalog.catalog_file import catalogue_text, replace_text
from vllm_eks.catalog.catalog_merge import Answers, Merged, merge
from vllm_eks.catalog.catalog_rows import not_known
from vllm_eks.catalog.ec2_catalog import ClientMaker, ask, new_client
from vllm_eks.planner.hardware.instances import (
    InstanceType,
    known_catalogue,
    read_catalogue_file,
    writable_catalogue_file,
)


def run_refresh(
    regions: Sequence[str],
    price_region: str,
    *,
    file: Path | None = None,
    client: ClientMaker = new_client,
    today: str | None = None,
) -> None:
    """Rewrite the catalogue from AWS's answers and print the difference.

    Args:
        regions: Whose types and zones are asked.
        price_region: Whose on-demand prices are asked.
        file: The catalogue; None: what the planner knows is read, and the checkout's or the user's file is written.
        client: Makes the clients that ask AWS.
        today: The date that the answers get; None: the present one.

    Raises:
        WrongQuestion: AWS did not answer, or the file cannot be written; it is then unchanged.
    """
    target = file or writable_catalogue_file()
    known = read_catalogue_file(file) if file else known_catalogue()
    head, rows = dict(known.head), list(known.types.values())
    date = today or datetime.now(UTC).date().isoformat()
    answers = ask(regions, price_region, client=client)
    merged = merge(rows, answers)
    head["refreshed"] = dict(sorted({**head.get("refreshed", {}), **dict.fromkeys(regions, date)}.items()))
    if answers.prices_usd_per_hour is not None:
        head["prices"] = dict(sorted({**head["prices"], price_region: date}.items()))
    wrote = replace_text(target, catalogue_text(head, merged.rows))
    for line in report(merged, regions):
        print(line)
    print(_price_line(merged, head["prices"], answers))
    print(f"wrote {target}" if wrote else f"nothing to write: {target} says all this already")


def report(merged: Merged, regions: Sequence[str]) -> list[str]:
    """Return what is different, a line for each type, and what to look at."""
    lines = [_added(row) for row in merged.added]
    lines += [f"changed {type_}: {'; '.join(found)}" for type_, found in merged.changed.items()]
    if merged.kept:
        lines.append(f"kept, not listed in {' or '.join(regions)}: {', '.join(merged.kept)}")
    lines += [f"left out {', '.join(types)}: {reason}" for reason, types in merged.left_out.items()]
    lines += [f"look at {remark}" for remark in merged.remarks]
    same = len(merged.rows) - len(merged.added) - len(merged.changed)
    lines.append(f"{len(merged.added)} added, {len(merged.changed)} changed, {same} as before")
    return lines


def _added(row: InstanceType) -> str:
    prices = [f"{usd} USD/h in {region}" for region, usd in row.usd_per_hour_by_region.items()]
    price = ", ".join(prices) or "no price"
    memory = f"{row.gpu_memory_gib:.2f} GiB usable each ({row.gpu_memory_source})"
    gaps = not_known(row)
    return f"added {row.type}: {row.gpus} x {row.gpu}, {memory}, {price}" + (
        f"; not known: {', '.join(gaps)}" if gaps else ""
    )


def _price_line(merged: Merged, dates: dict[str, str], answers: Answers) -> str:
    region = answers.price_region
    if answers.why_no_prices:
        before = f"as before, of {dates[region]}" if region in dates else "none are known"
        return f"prices in {region}: {before}: {answers.why_no_prices}"
    without = [row.type for row in merged.rows if region not in row.usd_per_hour_by_region]
    return f"prices in {region}: on demand, Linux, {dates[region]}" + (
        f"; none for {', '.join(without)}" if without else ""
    )
