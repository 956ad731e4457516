"""Memory units. GiB is 2**30 bytes."""

BYTES_PER_GIB = 2**30
BYTES_PER_MIB = 2**20


def gib(size_bytes: float) -> float:
    """Return a size in GiB (2**30 bytes)."""
    return size_bytes / BYTES_PER_GIB
