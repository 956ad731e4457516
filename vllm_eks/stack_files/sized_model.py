"""Writes the machines that `vllm-eks size` recommends to a stack file, without changing other values."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vllm_eks.errors import WrongQuestion
from vllm_eks.json_values import list_or_empty, object_or_empty
from vllm_eks.planner.hardware.instances import InstanceType, catalogue
from vllm_eks.planner.load.words import TrafficWords
from vllm_eks.planner.models.lock_folders import lock_file
from vllm_eks.planner.search.gpu_nodes import ON_DEMAND, SPOT
from vllm_eks.planner.sizing.sized import SizedPlan
from vllm_eks.stack_files.edited import Value, write_values
from vllm_eks.stack_files.read import read_stack_file
from vllm_eks.stack_files.stack_file import StackFile
from vllm_eks.stack_files.stated_traffic import traffic_values

MOST_NAME_LENGTH = 40
DEFAULTS: dict[str, object] = {"replicas": 1, "capacityType": ON_DEMAND}
"""Values that a model has if its keys are left out."""


@dataclass(frozen=True, kw_only=True)
class PlaceToWrite:
    """A stack file that has no such model yet."""

    folder: Path
    stack: str
    """As it was written, such as `acme/vllm-eks/dev`."""
    file: StackFile
    name: str
    """Of the new model."""
    model: str
    """Its ID, or its folder as seen from the stack file."""
    zones: tuple[str, ...]
    """Of the network."""

    @property
    def path(self) -> Path:
        """The file."""
        return self.folder / f"Pulumi.{self.file.stack}.yaml"


def place_to_write(folder: Path, stack: str, *, model: str, region: str) -> PlaceToWrite:
    """Return the stack file that machines with the prices of a region can be written to.

    Raises:
        WrongQuestion: It cannot be read or written, is for another region, has no zones, or has the model already.
    """
    file = read_stack_file(folder, stack, option="--write")
    network = file.section("network")
    subnets = object_or_empty(object_or_empty(network.get("existing")).get("subnets"))
    zones = list_or_empty(network.get("zones")) or list(subnets)
    place = PlaceToWrite(
        folder=folder,
        stack=stack,
        file=file,
        name=model_name(model),
        model=stack_reference(model, folder),
        zones=tuple(sorted(map(str, zones))),
    )
    errors = list(_errors(place, region))
    if errors:
        raise WrongQuestion(f"--write {stack}: {'; '.join(errors)}")
    return place


def _errors(place: PlaceToWrite, region: str) -> Iterator[str]:
    name, other = place.path.name, place.file.config.get("aws:region")
    if other and other != region:
        yield f"{name} is for {other}, and the prices are those of {region}: add --region {other}"
    if not place.zones:
        yield f"{name} has no network.zones: add them first"
    if place.name in place.file.section("models"):
        present = object_or_empty(place.file.section("models")[place.name])
        yield (
            f"{name} already has the model {place.name} on {present.get('instanceType', 'no instanceType')}, and its "
            "values are not changed: remove the model first, or leave out --write to compare"
        )
    if not os.access(place.path, os.W_OK):
        yield f"{name} is read-only: change its permissions first"


def write_sized(place: PlaceToWrite, row: SizedPlan, words: TrafficWords, *, spot: bool) -> Iterator[str]:
    """Write the machines and their load, and yield what was written.

    Raises:
        WrongQuestion: The stack would be refused. The file is unchanged.
    """
    zone, about_zone = zone_of(place.zones, row.plan.instance)
    wanted = {key: value for key, value in _values(place, row, spot=spot).items() if DEFAULTS.get(key) != value}
    below = {f"traffic.{key}": value for key, value in traffic_values(words, place.folder).items()}
    new: dict[str, Value] = {
        f"models.{place.name}.{key}": value for key, value in {**wanted, "zone": zone, **below}.items()
    }
    write_values(place.folder, place.stack, new, place.file)
    yield f"{place.path.name}: wrote {', '.join(new)}"
    if about_zone:
        yield about_zone


def zone_of(zones: tuple[str, ...], instance: InstanceType) -> tuple[str, str]:
    """Return the zone of a model, and what is not known about it.

    The catalogue has the IDs of zones that offer a type. Which ID a zone such as us-west-2a has differs by account.
    """
    zone, region = zones[0], instance.price_region or ""
    of_type = instance.zone_ids.get(region, ())
    of_region = {one for other in catalogue(region).values() for one in other.zone_ids.get(region, ())}
    if of_type and set(of_type) == of_region:
        return zone, ""
    first = f"zone {zone} is the first of network.zones"
    if not of_type:
        return zone, f"{first}: the catalogue knows no zone of {region} that offers {instance.type}; pulumi up asks AWS"
    return zone, (
        f"{first}: {instance.type} is offered in {', '.join(of_type)}, and which names these zones have differs by "
        "account; pulumi up checks it"
    )


def stack_reference(model: str, folder: Path) -> str:
    """Return how a stack file in a folder names a model: by its ID, or by the path of its folder."""
    path = Path(model).parent if Path(model).name == "config.json" else Path(model)
    if lock_file(model) or not path.is_dir():
        return model
    relative = os.path.relpath(path, folder)
    return relative if relative.startswith("..") else f"./{relative}"


def model_name(model_id: str) -> str:
    """Return a name for a model in a stack file, which clients send.

    >>> model_name("meta-llama/Llama-3.1-8B-Instruct")
    'llama-3-1-8b-instruct'
    """
    last = model_id.rstrip("/").rpartition("/")[2].lower()
    return re.sub(r"[^a-z0-9]+", "-", last).strip("-")[:MOST_NAME_LENGTH].strip("-") or "model"


def _values(place: PlaceToWrite, row: SizedPlan, *, spot: bool) -> dict[str, Value]:
    plan = row.plan
    sizes = plan.sizes
    return {
        "model": place.model,
        "instanceType": plan.instance.type,
        "capacityType": SPOT if spot else ON_DEMAND,
        "replicas": plan.replicas,
        "tensorParallelSize": sizes.tensor_parallel_size if sizes else 1,
        "pipelineParallelSize": sizes.pipeline_parallel_size if sizes else 1,
        "maxModelLen": plan.options.max_model_len,
        "maxNumSeqs": plan.options.max_num_seqs,
    }
