"""The tables of vLLM's flags: what a version surely has, and which table stands in for one without."""

import pytest

from planner.flag_tables import flag_table, has_flag, nearest_table, table_versions
from planner.versions import DEFAULT_VLLM_VERSION


def test_the_default_version_has_a_table() -> None:
    table = flag_table(DEFAULT_VLLM_VERSION)
    assert table is not None
    assert table.version == DEFAULT_VLLM_VERSION


def test_every_table_names_its_version_and_how_it_was_got() -> None:
    assert table_versions() == ((0, 21, 0), (0, 27, 0), (0, 32, 0), (0, 33, 0))
    for version in ("0.21.0", "0.27.0", "0.32.0", "0.33.0"):
        table = nearest_table(version)
        assert table.version == version
        assert table.source.startswith("live parser of vllm")


@pytest.mark.parametrize(
    ("version", "flag", "has"),
    [
        ("0.21.0", "--disable-access-log-for-endpoints", True),
        ("0.27.0", "--disable-access-log-for-endpoints", True),
        ("0.24.0", "--disable-access-log-for-endpoints", True),
        ("0.33.4", "--disable-access-log-for-endpoints", True),
        ("0.20.2", "--disable-access-log-for-endpoints", False),  # older than all tables: not known
        ("0.33.0", "--disable-chunked-prefill", True),
        ("0.32.0", "--disable-chunked-prefill", False),
        ("0.32.1", "--disable-chunked-prefill", False),  # 0.33 has it, 0.32 has not
        ("0.33.0", "-tp", True),
        ("0.33.0", "--no-such-flag", False),
    ],
)
def test_a_version_has_a_flag_only_where_that_is_known(version: str, flag: str, has: bool) -> None:
    assert has_flag(version, flag) is has


@pytest.mark.parametrize(
    ("version", "table"),
    [
        ("0.21.0.post1", "0.21.0"),
        ("0.11.2", "0.21.0"),
        ("0.24.0", "0.21.0"),
        ("0.25.0", "0.27.0"),
        ("0.33.1", "0.33.0"),
    ],
)
def test_the_nearest_table_stands_in(version: str, table: str) -> None:
    assert nearest_table(version).version == table
    assert (flag_table(version) is not None) is (version == "0.21.0.post1")
