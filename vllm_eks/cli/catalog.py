"""`vllm-eks catalog refresh`: updates the catalogue from AWS, and prints the differences."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from vllm_eks.catalog.catalog_file import catalogue_text, replace_text
from vllm_eks.catalog.catalog_merge import merge
from vllm_eks.catalog.ec2_catalog import ClientMaker, ask_aws, new_client
from vllm_eks.cli.views.catalog import price_line, refresh_lines
from vllm_eks.planner.hardware.instances import known_catalogue, read_catalogue_file, writable_catalogue_file


@click.group("catalog")
def command() -> None:
    """Update the catalogue of GPU instance types."""


@command.command(
    short_help="Read types, zones and prices from AWS.",
    epilog="\b\nExample:\n  vllm-eks catalog refresh --region eu-central-1\n",
)
@click.option(
    "--region",
    "regions",
    multiple=True,
    default=("us-west-2",),
    help="A region to read types and zones from. Can be repeated.",
)
@click.option(
    "--price-region", metavar="REGION", help="The region to read on-demand prices from. Default: the first --region."
)
def refresh(regions: tuple[str, ...], price_region: str | None) -> None:
    """Update the catalogue from AWS. Measured GPU memory is kept.

    A checkout has its catalogue in vllm_eks/data. An installed vllm-eks writes to the user data folder, as `lock` does.
    """
    run_refresh(list(regions), price_region or regions[0])


def run_refresh(
    regions: Sequence[str],
    price_region: str,
    *,
    file: Path | None = None,
    client: ClientMaker = new_client,
    today: str | None = None,
) -> None:
    """Update the catalogue from AWS's answers, and print the differences.

    Args:
        regions: The regions of types and zones.
        price_region: The region of on-demand prices.
        file: The catalogue. None reads the planner's catalogue, and writes the checkout's or the user's file.
        client: Creates the clients for AWS.
        today: The date of the answers, or None for the current date.

    Raises:
        WrongQuestion: AWS did not answer, or the file cannot be written. The file is unchanged.
    """
    target = file or writable_catalogue_file()
    known = read_catalogue_file(file) if file else known_catalogue()
    head, rows = dict(known.head), list(known.types.values())
    date = today or datetime.now(UTC).date().isoformat()
    answers = ask_aws(regions, price_region, client=client)
    merged = merge(rows, answers)
    head["refreshed"] = dict(sorted({**head.get("refreshed", {}), **dict.fromkeys(regions, date)}.items()))
    if answers.prices_usd_per_hour is not None:
        head["prices"] = dict(sorted({**head["prices"], price_region: date}.items()))
    wrote = replace_text(target, catalogue_text(head, merged.rows))
    for line in refresh_lines(merged, regions):
        print(line)
    print(price_line(merged, head["prices"], answers))
    print(f"wrote {target}" if wrote else f"no changes: {target} is up to date")
