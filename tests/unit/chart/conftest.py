"""Charts that are rendered once for all tests."""

import pytest

from tests.support.chart_rendering import Rendered, render_text
from tests.support.chart_values import ONE_NODE, TWO_COPIES, TWO_NODES


@pytest.fixture(scope="session")
def one_node() -> Rendered:
    return Rendered(render_text(ONE_NODE))


@pytest.fixture(scope="session")
def two_nodes() -> Rendered:
    return Rendered(render_text(TWO_NODES))


@pytest.fixture(scope="session")
def two_copies() -> Rendered:
    return Rendered(render_text(TWO_COPIES))
