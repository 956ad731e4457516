"""`vllm-eks lock`: writes the facts of a Hugging Face model to a lock file."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click
from huggingface_hub import HfApi
from rich.progress import track

from vllm_eks.cli.views.lock import show_lock, show_lock_warnings
from vllm_eks.cli.views.screen import console
from vllm_eks.errors import WrongQuestion
from vllm_eks.hub.repository import HubRepository, open_repository
from vllm_eks.json_files import read_json_object
from vllm_eks.json_values import is_object, object_or_empty
from vllm_eks.planner.models.config_json import parse_config
from vllm_eks.planner.models.defaults import fill_defaults
from vllm_eks.planner.models.lock_file import config_facts, lock_document, write_lock
from vllm_eks.planner.models.lock_folders import lock_file_name, writable_models_folder
from vllm_eks.planner.models.quantization_config import QUANTIZATION_FILE, SEPARATE_QUANTIZATION
from vllm_eks.planner.models.tensors import Tensor, sort_tensors, tensor_bytes
from vllm_eks.planner.models.vision import MISTRAL_FILE, MISTRAL_FORMAT

INDEX, SINGLE = "model.safetensors.index.json", "model.safetensors"
OTHER_WEIGHTS = (".bin", ".gguf", ".pth", ".pt", ".safetensors")


@click.command(
    "lock",
    epilog="""\b
Example:
  vllm-eks lock Qwen/Qwen3-32B
The lock file is written to vllm_eks/data/models in a checkout. An installed
vllm-eks writes it to $XDG_DATA_HOME/vllm-eks, or the platform's folder for
user data. The last line of the output is the file's path.
""",
)
@click.argument("model", help="A Hugging Face model ID: ORGANIZATION/NAME.")
@click.option("--revision", metavar="REVISION", help="Branch, tag or commit. Default: main.")
def command(model: str, revision: str | None) -> None:
    """Write a MODEL's facts to a lock file: config, bytes by part, commit. Reads only headers, no weights."""
    run_lock(model, revision)


def run_lock(model_id: str, revision: str | None, *, folder: Path | None = None, api: HfApi | None = None) -> None:
    """Write the lock file of a model and print its content.

    Args:
        model_id: The model's ID on the Hub.
        revision: A branch, tag or commit, or None for main.
        folder: The folder of the lock file, or None for the checkout's or the user's folder of models.
        api: The Hub, or None for the Hub of the environment.

    Raises:
        WrongQuestion: The Hub lacks the required files, or the architecture is unknown. No file is written, and an
            existing one is unchanged.
    """
    repository = open_repository(model_id, revision, api=api)
    if not repository.holds("config.json"):
        raise WrongQuestion(f"{model_id} has no config.json: only models in the Transformers format are supported")
    config = fill_defaults(repository.read_json("config.json"))
    if repository.holds(MISTRAL_FILE):
        config = {**config, MISTRAL_FORMAT: True}
    if repository.holds(QUANTIZATION_FILE):
        config = {**config, SEPARATE_QUANTIZATION: repository.read_json(QUANTIZATION_FILE)}
    model = parse_config(config_facts(config), where=model_id)
    names, said_bytes = _files_and_size(repository)
    tensors = dict(_tensors(repository, names))
    found = sort_tensors(
        tensors,
        layers=model.num_hidden_layers,
        heads=model.num_attention_heads,
        kv_heads=model.num_key_value_heads,
        weight_bits=model.quantization.weight_bits,
    )
    path = (folder or writable_models_folder()) / lock_file_name(model_id)
    before = read_json_object(path).get("revision") if path.exists() else None
    document = lock_document(
        model_id,
        repository.commit,
        gated=repository.gated,
        config=config,
        tensors=found,
        endpoint=repository.api.endpoint,
    )
    write_lock(path, document)
    show_lock_warnings(
        found, said_bytes, sum(tensor_bytes(name, tensor) for name, tensor in tensors.items()), sys.stderr
    )
    show_lock(document, before, found, path)


def _files_and_size(repository: HubRepository) -> tuple[Sequence[str], int | None]:
    """Return the files that vLLM loads, and their size according to the index.

    Copies under other names (original/, consolidated*, metal/) are not included.
    """
    if repository.holds(INDEX):
        index = repository.read_json(INDEX)
        weight_map = index.get("weight_map")
        if not is_object(weight_map) or not weight_map:
            raise WrongQuestion(f"{repository.id}: {INDEX} has no weight_map")
        size = object_or_empty(index.get("metadata")).get("total_size")
        return sorted(set(map(str, weight_map.values()))), int(size) if isinstance(size, int | float) else None
    if repository.holds(SINGLE):
        return [SINGLE], None
    others = sorted({Path(name).suffix for name in repository.files if name.endswith(OTHER_WEIGHTS)})
    held = f" (it has {', '.join(others)})" if others else ""
    raise WrongQuestion(
        f"{repository.id} has neither {INDEX} nor {SINGLE}{held}: the planner reads only safetensors. As an estimate, "
        f"plan a folder with its config.json"
    )


def _tensors(repository: HubRepository, names: Sequence[str]) -> Iterator[tuple[str, Tensor]]:
    for name in _with_progress(names):
        yield from repository.read_header(name).items()


def _with_progress(names: Sequence[str]) -> Iterable[str]:
    """Return the names, with a progress bar on a terminal."""
    return track(names, description="reading headers", console=console(sys.stderr), disable=not sys.stderr.isatty())
