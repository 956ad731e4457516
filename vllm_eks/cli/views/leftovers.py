"""Leftovers as text, and as one JSON object."""

from collections.abc import Iterator
from typing import Any

from rich.console import Console

from vllm_eks.cli.views.screen import Table, table
from vllm_eks.leftovers.found import Found, Leftovers
from vllm_eks.leftovers.prices import REGION, UnitPrice

COLUMNS = ("kind", "id", "USD/h", "USD/month", "identified by")


def show_leftovers(leftovers: Leftovers, out: Console) -> None:
    """Print the remaining resources with reason, cost and removal commands, and the kinds that could not be listed."""
    if leftovers.in_use:
        _line(out, leftovers.in_use)
    _line(out, _summary(leftovers))
    if leftovers.left:
        out.print()
        out.print(_table(leftovers.left, out))
        _line(out, "\nTo delete them, run these commands in this order (vllm-eks does not run them):")
        for one in leftovers.left:
            for command in leftovers.commands(one):
                _line(out, f"  {command}")
    for line in _in_the_way(leftovers):
        _line(out, line)
    for one in leftovers.going:
        _line(out, f"\nAWS deletes automatically: {one.kind} {one.id} ({one.text})")
    if leftovers.not_asked:
        _line(out, "\nSome kinds could not be listed, so more may be left:")
        for kind, reason in leftovers.not_asked.items():
            _line(out, f"  {kind}: {reason}")
    if leftovers.left:
        _line(out, f"\nOn-demand prices of {REGION}, without usage-based charges. - means free, ? means unknown.")
        for price in leftovers.prices:
            _line(out, f"  {price.text}")


def leftovers_json(leftovers: Leftovers) -> dict[str, Any]:
    """Return one JSON object. Its keys are a contract: keys may be added, but not removed."""
    return {
        "name": leftovers.name,
        "region": leftovers.region,
        "account": leftovers.account,
        "in_use": leftovers.in_use or None,
        "clean": leftovers.is_clean,
        "left": [_entry(one, leftovers) for one in leftovers.left],
        "in_the_way": [
            {
                "vpc": one.vpc,
                "kind": one.kind,
                "id": one.id,
                "made_by": one.made_by,
                "commands": leftovers.commands(one),
            }
            for one in leftovers.in_the_way
        ],
        "going_by_themselves": [_entry(one, leftovers) for one in leftovers.going],
        "not_asked": [{"kind": kind, "reason": reason} for kind, reason in leftovers.not_asked.items()],
        "usd_per_hour_at_least": round(leftovers.usd_per_hour, 4),
        "usd_per_month_at_least": round(leftovers.usd_per_month, 2),
        "price_region": REGION,
        "prices": [_price(price) for price in leftovers.prices],
    }


def _in_the_way(leftovers: Leftovers) -> Iterator[str]:
    if leftovers.in_the_way:
        yield "\nResources of others in the stack's VPC, which must be removed before the VPC:"
    for one in leftovers.in_the_way:
        yield f"  {one.kind} {one.id} in {one.vpc}: {one.made_by}"
        for command in leftovers.commands(one):
            yield f"    {command}"


def _summary(leftovers: Leftovers) -> str:
    where = f"{leftovers.name} in {leftovers.region}, account {leftovers.account}"
    if leftovers.left:
        are = "resource is" if len(leftovers.left) == 1 else "resources are"
        return f"{where}: {len(leftovers.left)} {are} left, at {_total(leftovers)}."
    if leftovers.not_asked:
        return f"{where}: nothing was found, but some kinds could not be listed."
    return f"{where}: nothing is left."


def _total(leftovers: Leftovers) -> str:
    return f"${leftovers.usd_per_hour:.2f} an hour (${leftovers.usd_per_month:.2f} a month) or more"


def _table(left: list[Found], out: Console) -> Table:
    made = table(out, *COLUMNS, right=frozenset(COLUMNS[2:4]))
    for one in left:
        made.add_row(one.kind, one.id, *_amounts(one), one.text)
    return made


def _amounts(one: Found) -> tuple[str, str]:
    if one.cost:
        return f"{one.cost.usd_per_hour:.4f}", f"{one.cost.usd_per_month:.2f}"
    return ("-", "-") if one.is_free else ("?", "?")


def _entry(one: Found, leftovers: Leftovers) -> dict[str, Any]:
    free = 0.0 if one.is_free else None
    return {
        "kind": one.kind,
        "id": one.id,
        "why": one.why,
        "remark": one.remark or None,
        "usd_per_hour": round(one.cost.usd_per_hour, 6) if one.cost else free,
        "usd_per_month": round(one.cost.usd_per_month, 4) if one.cost else free,
        "commands": leftovers.commands(one),
    }


def _price(price: UnitPrice) -> dict[str, Any]:
    return {"of": price.of.rstrip(","), "usd": price.usd, "per": price.per, "source": price.source}


def _line(out: Console, text: str) -> None:
    out.print(text, markup=False, soft_wrap=True)
