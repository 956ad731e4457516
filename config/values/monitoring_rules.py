"""Checks single values of the observability section, like `config.values.rules`."""

import re

MOST_RETENTION_DAYS = 3650
"""Ten years. Our own limit: the volume is full long before."""
LEAST_STORAGE_GIB = 10
"""Our own limit: room for two-hour blocks, their compaction, and the write-ahead log."""
MOST_STORAGE_GIB = 16384
"""The largest gp3 volume (EBS user guide, volume types), with a file system of 4 KiB blocks."""
LOG_RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653),
)
"""The values that CloudWatch accepts (API reference of PutRetentionPolicy)."""
OBJECT_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
"""A DNS subdomain, the form of names of StorageClasses and Secrets."""
IMAGE_REGISTRY = re.compile(r"(localhost|[\w-]*[.:][\w.:-]*)(/[a-z0-9._-]+)*")
"""A host, and a folder in it."""
LABEL_KEY = re.compile(r"([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?")


def retention_days(value: int) -> int:
    """Accept the days that metrics are kept."""
    if value > MOST_RETENTION_DAYS:
        raise ValueError(f"{value} is too large: the volume is full long before, so set {MOST_RETENTION_DAYS} or less")
    return value


def log_retention_days(value: int) -> int:
    """Accept the days that logs are kept."""
    if value not in LOG_RETENTION_DAYS:
        nearest = min(LOG_RETENTION_DAYS, key=lambda days: (abs(days - value), -days))
        accepted = ", ".join(map(str, LOG_RETENTION_DAYS))
        raise ValueError(f"{value} is not accepted by CloudWatch: use {nearest}, or one of {accepted}")
    return value


def storage_gib(value: int) -> int:
    """Accept the size of Prometheus's volume."""
    if value < LEAST_STORAGE_GIB:
        raise ValueError(
            f"{value} is too small: Prometheus needs room to compact its blocks, so set {LEAST_STORAGE_GIB} or more"
        )
    if value > MOST_STORAGE_GIB:
        raise ValueError(f"{value} is too large: no gp3 volume has so many GiB, so set {MOST_STORAGE_GIB} or less")
    return value


def object_name(value: str) -> str:
    """Accept the name of a Kubernetes object."""
    if not OBJECT_NAME.fullmatch(value):
        raise ValueError(
            f"{value!r} is not a valid name of a Kubernetes object: use lower-case letters, digits, - and ., at most "
            f"253 characters"
        )
    return value


def image_registry(value: str) -> str:
    """Accept a registry, or a folder in one."""
    if not IMAGE_REGISTRY.fullmatch(value):
        raise ValueError(
            f"{value!r} is not an image registry: use a host and a folder, such as registry.example.com/mirror"
        )
    return value


def labels(value: dict[str, str]) -> dict[str, str]:
    """Accept labels of a Kubernetes object."""
    for key, text in value.items():
        if not LABEL_KEY.fullmatch(key) or not LABEL_VALUE.fullmatch(text):
            raise ValueError(
                f"{key!r}: {text!r} is not a valid label: use letters, digits, -, _ and ., at most 63 characters, "
                f"such as release: kube-prometheus-stack"
            )
    return value
