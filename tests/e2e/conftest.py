"""End-to-end tests run only when asked for by path (`pytest tests/e2e`), and then fail without their cluster."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.lab_cluster import Cluster, LabMissingError, find_cluster


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave this folder alone in runs that do not name it: plain `pytest` needs no cluster."""
    named = any("e2e" in argument for argument in config.args)
    return None if named else True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the real engine's tests last: its lab takes the API server over, with all its nodes."""
    items.sort(key=lambda item: "test_real_engine" in item.nodeid)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The lab's cluster, without the leftovers of a run that was cut off; ends the whole run when there is none."""
    try:
        found = find_cluster()
    except LabMissingError as error:
        pytest.exit(str(error), returncode=1)
    found.delete_namespaces()
    yield found
    found.delete_namespaces()
