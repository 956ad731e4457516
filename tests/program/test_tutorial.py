"""The numbers in the tutorial and in the README's table match the preview."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.previews import Shown

ROOT = Path(__file__).parents[2]
TUTORIAL = " ".join((ROOT / "docs" / "tutorial" / "first-model.md").read_text().split())
README = (ROOT / "README.md").read_text()
CAPACITY = (ROOT / "docs" / "how-to" / "capacity.md").read_text()


@pytest.fixture
def dev(preview: Callable[..., Shown]) -> str:
    return preview(ROOT, "dev").stdout


def prices(text: str) -> tuple[str, str]:
    """Return the hourly price of the GPU nodes and that of everything."""
    gpu, all_parts = (re.search(rf"^ *([\d.]+) .* {part}", text, re.MULTILINE) for part in ("GPU nodes", "total"))
    assert gpu
    assert all_parts
    return gpu[1], all_parts[1]


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_the_readme_has_the_prices_of_both_stacks(preview: Callable[..., Shown], stack: str) -> None:
    gpu, together = prices(preview(ROOT, stack).stdout)
    row = re.search(rf"^\| `{stack}` .*$", README, re.MULTILINE)
    assert row
    assert row[0].endswith(f"| ${gpu} an hour | ${together} an hour |")


def test_the_tutorial_and_the_readme_quote_the_first_line(dev: str) -> None:
    assert dev.splitlines()[0] in TUTORIAL
    assert dev.splitlines()[0] in README


def test_the_tutorial_has_the_preview_s_numbers(dev: str) -> None:
    shown = {
        "KV cache": re.search(r"KV cache +([\d,]+) tokens", dev),
        "requests": re.search(r"([\d.]+) requests of 16,384 tokens", dev),
        "budget": re.search(r"start +(\d+ s) budget", dev),
        "gigabytes": re.search(r"start on new nodes: (\d+ GB)", dev),
        "NAT": re.search(r"(\$[\d.]+) for NAT", dev),
        "start from the Hub": re.search(r"download nothing; (\d+ s)", dev),
        "start from S3": re.search(r"free at each start; (\d+ s)", dev),
    }
    assert {name for name, match in shown.items() if match is None or match[1] not in TUTORIAL} == set()


def test_the_tutorial_has_the_prices_with_and_without_gpu_nodes(dev: str) -> None:
    gpu, together = prices(dev)
    rest = float(together) - float(gpu)
    assert f"${gpu} an hour for the GPU node and ${rest:.2f} for the rest" in TUTORIAL
    assert f"Parking saves ${gpu} an hour" in TUTORIAL
    assert f"${together} for the stack" in TUTORIAL


def test_the_parked_stack_costs_the_price_on_the_pages(preview: Callable[..., Shown], dev: str, project: Path) -> None:
    file = project / "Pulumi.dev.yaml"
    file.write_text(file.read_text().replace("maxModelLen: 16384", "maxModelLen: 16384\n      parked: true"))
    _, parked = prices(preview(project, "dev").stdout)
    gpu, together = prices(dev)
    volume = float(together) - float(gpu) - float(parked)
    assert f"and ${volume:.2f} for its root volume. The parked stack costs ${parked} an hour" in TUTORIAL
    assert f"still costs ${parked} an hour" in " ".join(README.split())


def test_the_pages_quote_the_command_about_a_deleted_key() -> None:
    said = re.search(r"key under \*([^*]+)\*", TUTORIAL)
    assert said
    assert f"\\n{said[1]}: {{one.kind}}" in (ROOT / "vllm_eks" / "cli" / "views" / "leftovers.py").read_text()


def test_the_capacity_page_has_the_start_of_the_dev_model(dev: str) -> None:
    for pattern in (r"download nothing; (\d+ s)", r"(\$[\d.]+) for NAT", r"free at each start; (\d+ s)"):
        match = re.search(pattern, dev)
        assert match
        assert match[1] in CAPACITY


def test_the_steps_of_the_start_add_up() -> None:
    rows = re.findall(r"\| ([\w ]+(?:\(\d+ GB\) )?)\| (\d+) (?=\|)", TUTORIAL.partition("| stage | seconds |")[2])
    steps = {name.strip(): int(seconds) for name, seconds in rows}
    assert steps.pop("sum") == sum(steps.values())
    assert len(steps) == 4
