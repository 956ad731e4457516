"""Writes the machines that `vllm-eks size` recommends to a stack file, without changing other values."""

import re
from pathlib import Path

from vllm_eks.errors import WrongQuestion
from vllm_eks.json_values import is_object, list_or_empty
from vllm_eks.planner.search.gpu_nodes import ON_DEMAND, SPOT
from vllm_eks.planner.sizing.sized import SizedPlan
from vllm_eks.stack_files.edited import Value, write_values
from vllm_eks.stack_files.read import read_stack_file
from vllm_eks.stack_files.stack_file import StackFile

MOST_NAME_LENGTH = 40
DEFAULTS: dict[str, object] = {"replicas": 1, "capacityType": ON_DEMAND}
"""Values that a model has if its keys are left out."""


def stack_to_write(folder: Path, stack: str, region: str) -> StackFile:
    """Return the stack file that machines with the prices of a region can be written to.

    Raises:
        WrongQuestion: It cannot be read, is for another region, or has no zones.
    """
    file = read_stack_file(folder, stack)
    path, other = f"Pulumi.{file.stack}.yaml", file.config.get("aws:region")
    if other and other != region:
        raise WrongQuestion(
            f"--write {stack}: {path} is for {other}, and the prices are those of {region}: add --region {other}"
        )
    if not list_or_empty(file.section("network").get("zones")):
        raise WrongQuestion(f"--write {stack}: {path} has no network.zones: add them first")
    return file


def write_sized(folder: Path, file: StackFile, row: SizedPlan, *, spot: bool) -> str:
    """Write the machines under a name made from the model's ID, and return what was written in one line.

    Raises:
        WrongQuestion: The stack has the model with other values, or would be refused.
    """
    stack, path = file.stack, f"Pulumi.{file.stack}.yaml"
    name = model_name(row.plan.model.id)
    known = file.section("models").get(name)
    present = known if is_object(known) else {}
    wanted = _values(row, spot=spot)
    effective = {**DEFAULTS, **present} if present else {}
    other = [
        f"{key} {effective[key]!s}, not {value!s}"
        for key, value in wanted.items()
        if key in effective and effective[key] != value
    ]
    if other:
        raise WrongQuestion(
            f"--write {stack}: {path} already has the model {name} with other values ({'; '.join(other)}): nothing was "
            "written. Edit it, or remove the model first"
        )
    if not present:
        wanted |= {"zone": str(list_or_empty(file.section("network").get("zones"))[0])}
    new = {
        f"models.{name}.{key}": value
        for key, value in wanted.items()
        if key not in present and DEFAULTS.get(key) != value
    }
    if not new:
        return f"{path} already has the model {name} with these values"
    write_values(folder, stack, new, file)
    return f"{path}: wrote {', '.join(new)}"


def model_name(model_id: str) -> str:
    """Return a name for a model in a stack file, which clients send.

    >>> model_name("meta-llama/Llama-3.1-8B-Instruct")
    'llama-3-1-8b-instruct'
    """
    last = model_id.rstrip("/").rpartition("/")[2].lower()
    return re.sub(r"[^a-z0-9]+", "-", last).strip("-")[:MOST_NAME_LENGTH].strip("-") or "model"


def _values(row: SizedPlan, *, spot: bool) -> dict[str, Value]:
    plan = row.plan
    sizes = plan.sizes
    return {
        "model": plan.model.id,
        "instanceType": plan.instance.type,
        "capacityType": SPOT if spot else ON_DEMAND,
        "replicas": plan.replicas,
        "tensorParallelSize": sizes.tensor_parallel_size if sizes else 1,
        "pipelineParallelSize": sizes.pipeline_parallel_size if sizes else 1,
        "maxModelLen": plan.options.max_model_len,
        "maxNumSeqs": plan.options.max_num_seqs,
    }
