"""Checks single values of the stack file.

Each function returns the value for the program, or raises ValueError with the text after the key in the report: the
value, the error and a fix.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from config.values.kubeconfig_file import kubeconfig
from vllm_eks.pins.eks import LEAVING_KUBERNETES_VERSIONS, SUPPORTED_KUBERNETES_VERSIONS
from vllm_eks.planner.vllm_version import OLDEST_READ, parse_version
from vllm_eks.stack_files.wording import shown

MAX_NAME_LENGTH = 40
"""Of a model's name, which is also a Helm release, a Service and, with the prefix `vllm-`, a namespace."""

MODEL_NAME = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")
NODE_RELEASE = re.compile(r"\d+\.\d+\.\d+-\d{8}")
ADDON_VERSION = re.compile(r"v\d+\.\d+\.\d+-eksbuild\.\d+")
TAG_CHARACTERS = re.compile(r"[\w\s.:/=+@-]*")
MAX_IMAGE_CHARACTERS = 255 + 128 + 80
"""A name, a tag and a digest, each with the maximum length that registries accept."""
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
NAMED_IMAGE = re.compile(r"[a-z0-9./:_-]+(:[\w][\w.-]{0,127})?", re.IGNORECASE)
IMAGE = (
    r"(?![^@]*:latest$)(localhost|[\w.-]*[.:][\w.:-]*)/[A-Za-z0-9./:_-]*"
    rf"(:\w[\w.-]{{0,127}}|(:\w[\w.-]{{0,127}})?@{DIGEST.pattern})"
)
"""What `image` accepts, for the JSON Schema."""
NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
VLLM_VERSION = r"v?\d+\.\d+(\.\d+)?([.+-]?\w.*)?"
CHART_VERSION = re.compile(r"v?(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?")
"""One release. Helm takes anything shorter, such as 1.2, as a range (Masterminds/semver, constraints)."""
CHART_REPOSITORY = re.compile(r"(https?|oci)://[^/\s]")


def no_boolean(value: object) -> object:
    """Refuse true and false for a number, which a type that is not strict takes as 1 and 0."""
    if isinstance(value, bool):
        raise ValueError(f"{shown(value)}, not a number: set one such as 0.9")
    return value


def filter_tags(value: dict[str, str]) -> dict[str, str]:
    """Accept tags to find subnets by."""
    for key, text in value.items():
        if not key or not TAG_CHARACTERS.fullmatch(key + text):
            raise ValueError(f"{key!r}: {text!r} is not a valid tag: use letters, digits, spaces and _.:/=+-@")
    return value


def distinct(value: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse a list with duplicates."""
    _no_duplicates(value)
    return value


def kubernetes_version(value: str) -> str:
    """Accept a Kubernetes minor version in EKS standard support."""
    if value in SUPPORTED_KUBERNETES_VERSIONS:
        return value
    choice = " or ".join(f'"{version}"' for version in SUPPORTED_KUBERNETES_VERSIONS)
    if value in LEAVING_KUBERNETES_VERSIONS:
        day = LEAVING_KUBERNETES_VERSIONS[value]
        after = "after which EKS costs more or upgrades the control plane automatically"
        raise ValueError(f"standard support of {value!r} ends on {day}, {after}: set {choice}")
    raise ValueError(f"{value!r} is not a Kubernetes version that this release supports: set {choice}")


def node_release_version(value: str) -> str:
    """Accept an EKS node AMI release."""
    if not NODE_RELEASE.fullmatch(value):
        raise ValueError(f"{value!r} is not an EKS AMI release: set one such as 1.36.2-20260714")
    return value


def addon_version(value: str) -> str:
    """Accept an EKS add-on version."""
    if not ADDON_VERSION.fullmatch(value):
        raise ValueError(f"{value!r} is not an EKS add-on version: set one such as v1.23.0-eksbuild.1")
    return value


def kubeconfig_path(value: str) -> str:
    """Accept the path of a usable kubeconfig, and expand a leading `~`."""
    path = _path(value)
    if not path.exists():
        raise ValueError(f"{value!r} does not exist or is not a file: create it, or correct the path")
    return kubeconfig(value, path)


def chart_folder(value: str) -> str:
    """Accept the folder of a Helm chart."""
    path = _path(value)
    if not (path / "Chart.yaml").is_file():
        raise ValueError(f"{value!r} has no Chart.yaml: set the folder of an unpacked chart")
    return str(path) if value.startswith("~") else value


def chart_repository(value: str) -> str:
    """Accept the source of a chart: an index over HTTP(S), or the OCI folder that contains it."""
    if not CHART_REPOSITORY.match(value):
        raise ValueError(f"{value!r} is not a chart repository: it must begin with https:// or oci://")
    return value.rstrip("/")


def chart_version(value: str) -> str:
    """Accept one version of a chart."""
    if not CHART_VERSION.fullmatch(value):
        raise ValueError(
            f"{value!r} is not an exact version, so the same stack file could install other releases later: set one "
            'with three numbers, such as "0.18.0"'
        )
    return value


def image(value: str) -> str:
    """Accept a full image reference that does not change over time."""
    if len(value) > MAX_IMAGE_CHARACTERS:
        raise ValueError(f"the reference has {len(value)} characters: use at most {MAX_IMAGE_CHARACTERS}")
    name, _, digest = value.partition("@")
    host, slash, rest = name.partition("/")
    if not NAMED_IMAGE.fullmatch(name) or ("@" in value and not DIGEST.fullmatch(digest)):
        raise ValueError(f"{value!r} is not an image reference: use registry/repository:tag")
    if not slash or not ("." in host or ":" in host or host == "localhost"):
        raise ValueError(f"{value!r} has no registry: use the full reference, such as docker.io/{value}")
    tag = rest.rpartition("/")[2].partition(":")[2]
    if digest:
        return value
    if tag in ("", "latest"):
        which = "has no tag" if not tag else "changes with each push"
        raise ValueError(f"{value!r} {which}: use a version tag or a digest (@sha256:...)")
    return value


def vllm_version(value: str) -> str:
    """Accept a vLLM version that the planner supports. It can only estimate older ones."""
    if parse_version(value) < OLDEST_READ:
        raise ValueError(f"vLLM {value} is older than 0.{OLDEST_READ[1]}, the oldest supported version")
    return value


def model_name(value: str) -> str:
    """Accept a model's name: a DNS label that begins with a letter, because it is also the name of a Service."""
    if MODEL_NAME.fullmatch(value) and len(value) <= MAX_NAME_LENGTH:
        return value
    if len(value) > MAX_NAME_LENGTH:
        raise ValueError(f"the name has {len(value)} characters: use at most {MAX_NAME_LENGTH}")
    lowered = re.sub(r"[^a-z0-9]+", "-", value.lower()).strip("-")
    advice = f"use {lowered}" if MODEL_NAME.fullmatch(lowered) else "use one such as llama-4-scout"
    raise ValueError(
        "the name is not a DNS label (lower-case letters, digits and -, starting with a letter and ending with a "
        f"letter or digit): {advice}"
    )


def namespace(value: str) -> str:
    """Accept the name of a Kubernetes namespace."""
    if not NAMESPACE.fullmatch(value):
        raise ValueError(f"{value!r} is not a valid namespace: use lower-case letters, digits and -, at most 63")
    return value


def tag(key: str, value: str) -> None:
    """Refuse a tag that AWS would refuse."""
    if key.lower().startswith("aws:"):
        raise ValueError("keys that begin with aws: are reserved: use another key")
    if not key:
        raise ValueError("the key is empty: use 1 to 128 characters")
    for what, text, longest in (("key", key, 128), ("value", value, 256)):
        if len(text) > longest:
            raise ValueError(f"the {what} has {len(text)} characters: use at most {longest}")
        if not TAG_CHARACTERS.fullmatch(text):
            raise ValueError(f"the {what} {text!r} has invalid characters: use letters, digits, spaces and _.:/=+-@")


def list_of(values: Sequence[str]) -> str:
    """Return a list in the syntax of the file."""
    return f"[{', '.join(values)}]"


def _path(value: str) -> Path:
    """Return a path that can be accessed."""
    try:
        if "\0" in value:
            raise ValueError
        path = Path(value).expanduser()
        path.exists()
    except (OSError, RuntimeError, ValueError):
        raise ValueError(f"{value[:80]!r} is not a valid path: correct it") from None
    return path


def _no_duplicates(values: tuple[str, ...]) -> None:
    twice = list(dict.fromkeys(value for index, value in enumerate(values) if value in values[:index]))
    if twice:
        verb, fix = ("is", "remove one") if len(twice) == 1 else ("are", "keep one of each")
        raise ValueError(f"{', '.join(map(repr, twice))} {verb} listed twice: {fix}")
