"""End-to-end tests run only when selected by path (`pytest tests/e2e`), and then fail without their cluster."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.lab_cluster import Cluster, LabMissingError, find_cluster


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Skip this folder unless it is selected, because plain `pytest` needs no cluster."""
    named = any("e2e" in argument for argument in config.args)
    return None if named else True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests of the real engine last, because their lab takes over the API server with all its nodes."""
    of_the_engine = ("test_real_engine", "test_real_edits")
    items.sort(key=lambda item: any(name in item.nodeid for name in of_the_engine))


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The lab's cluster, without leftovers of an interrupted run. Without a cluster, the whole run ends."""
    try:
        found = find_cluster()
    except LabMissingError as error:
        pytest.exit(str(error), returncode=1)
    found.delete_namespaces()
    yield found
    found.delete_namespaces()
