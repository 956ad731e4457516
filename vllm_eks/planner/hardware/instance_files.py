"""An instance type that is not in the catalogue, described by the user in a JSON file."""

import re
from pathlib import Path
from typing import Any

from vllm_eks.errors import WrongQuestion
from vllm_eks.json_files import read_json_object
from vllm_eks.planner.hardware.instances import InstanceType

ABOVE_ZERO = (
    "gpus",
    "gpu_memory_gib",
    "gpu_memory_bandwidth_gbytes_per_second",
    "gpu_interconnect_gbytes_per_second",
)


def read_instance_file(path: Path) -> InstanceType:
    """Return the instance type that a JSON file describes.

    Raises:
        WrongQuestion: The file is missing, is not a JSON object, or has wrong fields. The message lists all errors.
    """
    document = read_json_object(path, called="--instance-file")
    return instance_of(document, where=f"--instance-file {path}")


def instance_of(document: dict[str, Any], *, where: str) -> InstanceType:
    """Return the instance type that a JSON object describes.

    Raises:
        WrongQuestion: Fields are missing, unknown or out of range. The message lists all of them.
    """
    from pydantic import TypeAdapter, ValidationError  # imported here because it takes a fifth of a plan's run time

    capability = str(document.get("compute_capability", ""))
    errors: list[str] = []
    if "compute_capability" in document and not re.fullmatch(r"\d+\.\d", capability):
        errors.append(f"compute_capability: {capability!r} must look like 8.6")
    try:
        instance = TypeAdapter(InstanceType).validate_python(
            {**document, **({"compute_capability": capability} if capability else {})}, extra="forbid"
        )
    except ValidationError as error:
        words = {"missing": "is missing", "unexpected_keyword_argument": "is not a known key"}
        for item in error.errors():
            errors.append(f"{'.'.join(map(str, item['loc']))}: {words.get(item['type'], item['msg'])}")
        raise WrongQuestion(f"{where}: {'; '.join(errors)}") from None
    errors += [
        f"{key}: must be above 0" for key in ABOVE_ZERO if (value := getattr(instance, key)) is not None and value <= 0
    ]
    if errors:
        raise WrongQuestion(f"{where}: {'; '.join(errors)}")
    return instance
