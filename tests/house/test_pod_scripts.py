"""The scripts of the pods have one source: the chart's files. The package links to them."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHART_FILES = sorted((ROOT / "charts" / "vllm" / "files").glob("*.py"))


@pytest.mark.parametrize("script", CHART_FILES, ids=lambda path: path.name)
def test_the_package_links_to_a_script_of_the_chart(script: Path) -> None:
    module = ROOT / "vllm_eks" / "pods" / script.name
    assert module.is_symlink()
    assert module.resolve() == script


def test_the_chart_has_no_links() -> None:
    assert CHART_FILES
    assert [path for path in (ROOT / "charts").rglob("*") if path.is_symlink()] == []
