"""Merges AWS's answers into the catalogue, and lists the differences. No files, no network."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from vllm_eks.catalog.catalog_rows import UnsupportedTypeError, disagreement, new_row, updated
from vllm_eks.json_values import is_list
from vllm_eks.planner.hardware.instances import REFERENCE_REGION, InstanceType

BY_REGION = ("zone_ids", "usd_per_hour_by_region")


@dataclass(frozen=True, kw_only=True)
class AwsAnswers:
    """AWS's answers, unprocessed."""

    types: dict[str, dict[str, Any]]
    """Name -> DescribeInstanceTypes' record, of every type with NVIDIA GPUs in one of the regions."""
    zone_ids: dict[str, dict[str, list[str]]]
    """Requested region -> type -> sorted IDs of the zones that offer it."""
    prices_usd_per_hour: dict[str, float] | None
    """Type -> on-demand Linux price in `price_region`, or None if AWS returned none."""
    price_region: str = REFERENCE_REGION
    why_no_prices: str = ""


@dataclass(frozen=True, kw_only=True)
class Merged:
    """The new rows in the order of the file, new types at the end by name, and the messages."""

    rows: list[InstanceType]
    added: list[InstanceType]
    changed: dict[str, list[str]]
    """Type -> `field old -> new`, for each field that differs."""
    kept: list[str]
    """Types that are in no requested region. Their rows are kept."""
    left_out: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """Reason -> the types in AWS that the catalogue does not support."""
    remarks: list[str] = field(default_factory=list[str])


def merge(rows: Sequence[InstanceType], answers: AwsAnswers) -> Merged:
    """Return the catalogue, updated with AWS's answers.

    Usable memory of a known type never changes here. Zones and prices of other regions are kept. A type that is missing
    in the price list has no price in that region, because one date applies to all of them.
    """
    before = {row.type: row for row in rows}
    known = [updated(row, answers.types[row.type]) if row.type in answers.types else row for row in rows]
    fresh, left_out = _new_rows(list(rows), answers)
    after = [_with_price(_with_zones(row, answers), answers) for row in (*known, *fresh)]
    changed = {row.type: differences(before[row.type], row) for row in after if row.type in before}
    doubts = [disagreement(row, answers.types[row.type]) for row in rows if row.type in answers.types]
    return Merged(
        rows=after,
        added=[row for row in after if row.type not in before],
        changed={type_: found for type_, found in changed.items() if found},
        kept=[row.type for row in rows if row.type not in answers.types],
        left_out=left_out,
        remarks=[doubt for doubt in doubts if doubt],
    )


def differences(old: InstanceType, new: InstanceType) -> list[str]:
    """Return `field old -> new` for every field that differs. Zones and prices are compared by region."""
    found: list[str] = []
    for name in (each.name for each in fields(InstanceType) if each.name not in BY_REGION):
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            found.append(f"{name} {_shown(before)} -> {_shown(after)}")
    for region in sorted({*old.usd_per_hour_by_region, *new.usd_per_hour_by_region}):
        before, after = old.usd_per_hour_by_region.get(region), new.usd_per_hour_by_region.get(region)
        if before != after:
            found.append(f"USD/h in {region} {_shown(before)} -> {_shown(after)}")
    for region in sorted({*old.zone_ids, *new.zone_ids}):
        before, after = list(old.zone_ids.get(region, [])), list(new.zone_ids.get(region, []))
        if before != after:
            found.append(f"zones in {region} {_shown(before)} -> {_shown(after)}")
    return found


def _new_rows(rows: list[InstanceType], answers: AwsAnswers) -> tuple[list[InstanceType], dict[str, list[str]]]:
    known = {row.type for row in rows}
    fresh: list[InstanceType] = []
    left_out: dict[str, list[str]] = defaultdict(list)
    for type_ in sorted(answers.types.keys() - known):
        try:
            fresh.append(new_row(answers.types[type_], rows))
        except UnsupportedTypeError as reason:
            left_out[str(reason)].append(type_)
    return fresh, dict(left_out)


def _with_zones(row: InstanceType, answers: AwsAnswers) -> InstanceType:
    zones = dict(row.zone_ids)
    for region, offered in answers.zone_ids.items():
        zones.pop(region, None)
        if offered.get(row.type):
            zones[region] = offered[row.type]
    return replace(row, zone_ids={region: zones[region] for region in sorted(zones)})


def _with_price(row: InstanceType, answers: AwsAnswers) -> InstanceType:
    if answers.prices_usd_per_hour is None:
        return row
    region, listed = answers.price_region, answers.prices_usd_per_hour.get(row.type)
    others = {name: usd for name, usd in row.usd_per_hour_by_region.items() if name != region}
    prices = others if listed is None else {**others, region: listed}
    return replace(row, usd_per_hour_by_region=dict(sorted(prices.items())))


def _shown(value: object) -> str:
    if is_list(value):
        return ",".join(map(str, value)) or "none"
    return "none" if value is None else str(value)
