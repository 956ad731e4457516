"""Models the planner knows: locked facts in the data folders, or a folder with a config.json."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal

from vllm_eks.data import DATA
from vllm_eks.data.folders import data_folders, writable_data_folder
from vllm_eks.errors import WrongQuestion, did_you_mean, nearest_names
from vllm_eks.json_files import read_json_object
from vllm_eks.planner.models.architecture import Architecture
from vllm_eks.planner.models.config_json import parse_config
from vllm_eks.planner.models.weights import WeightParts, compute_parts, parts_of_headers

MODELS = "models"
"""The folder of lock files in a data folder."""
LOCKED = DATA / MODELS
"""The shipped lock files."""

UNSERVED_FORMS = ("gguf", "exl2", "exl3", "mlx", "onnx")
"""Forms of weights that repositories name, and that are no safetensors which vLLM serves here."""

WeightsSource = Literal["headers", "index", "computed"]


@dataclass(frozen=True, kw_only=True)
class LockedModel:
    """One lock file."""

    id: str
    revision: str | None
    """The commit that is served with --revision; null where nobody could look it up yet."""
    gated: bool
    weights_source: WeightsSource
    weights_bytes: int | None
    """Sum of the safetensors tensors, when weights_source is not `computed`."""
    config: dict[str, Any]
    """The fields of config.json that matter, spelt as there."""
    sources: dict[str, str]
    parts: dict[str, Any] | None = None
    """Bytes by part as the safetensors headers say, when weights_source is `headers`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelFacts:
    """Everything about a model that a plan depends on. Compared by identity, as its architecture."""

    id: str
    revision: str | None
    gated: bool
    architecture: Architecture
    weights_source: WeightsSource
    known_weights_bytes: int | None
    header_parts: Mapping[str, Any] | None = None

    @cached_property
    def parts(self) -> WeightParts:
        """Bytes by part: as the files' headers say, else computed from the config."""
        if self.header_parts:
            return parts_of_headers(self.header_parts, self.architecture)
        return compute_parts(self.architecture)

    @property
    def weights_bytes(self) -> int:
        """Bytes of the checkpoint: as its index says, else computed."""
        return self.known_weights_bytes or round(self.parts.total_bytes)

    @cached_property
    def weights_scale(self) -> float:
        """Known bytes over computed bytes; parts are scaled by it so that they add up to the known sum.

        An index also counts layers for multi-token prediction where the repository holds them (DeepSeek: 641.3 GiB in
        the files, 637 loaded): the sum that is nearer to the index is taken.
        """
        computed, drafts = self.parts.total_bytes, self.parts.draft_bytes
        if not self.known_weights_bytes or self.architecture.quantization.method == "mxfp4":
            return 1.0  # MXFP4 is rounded up when it is loaded: what counts are the config's sizes
        return self.known_weights_bytes / min(
            (computed, computed + drafts), key=lambda size: abs(size - (self.known_weights_bytes or 0))
        )

    @property
    def is_multimodal(self) -> bool:
        """Whether requests may carry images."""
        return self.architecture.vision is not None


class UnknownModel(WrongQuestion):
    """No locked model has this id."""

    def __init__(self, name: str, nearest: tuple[str, ...]) -> None:
        self.name = name
        form = next((form for form in UNSERVED_FORMS if form in name.lower()), None)
        self.why = (
            form and f"{form.upper()} is not served: take the model's safetensors repository, or an AWQ or FP8 one"
        )
        """Why no model of this name can be added; None where one may."""
        self.nearest = () if self.why else nearest
        self.to_add = f"vllm-eks lock {name if '/' in name else '<organization>/<name>'}"
        unknown = (
            f" is not one of the locked models{did_you_mean(nearest)} (another model of a known family: {self.to_add} "
            "adds it, or give a folder with its config.json)"
        )
        super().__init__(f"model {name!r}" + (f": {self.why}" if self.why else unknown))


def lock_file_name(model_id: str) -> str:
    """Return the name of a model's lock file."""
    return model_id.replace("/", "--") + ".json"


def writable_models_folder() -> Path:
    """Return the folder that lock files are written into; it need not exist yet.

    Raises:
        WrongQuestion: There is none.
    """
    return writable_data_folder() / MODELS


@cache
def locked_model_ids() -> tuple[str, ...]:
    """Return the ids of all locked models, sorted."""
    return tuple(sorted(_lock_files()))


@cache
def _lock_files() -> Mapping[str, Path]:
    """Return the lock file of each model id; a user's own one counts before a shipped one."""
    files = [file for folder in reversed(data_folders()) for file in (folder / MODELS).glob("*.json")]
    return {file.stem.replace("--", "/", 1): file for file in files}


def _read_lock_file(file: Path) -> LockedModel:
    try:
        return LockedModel(**read_json_object(file))
    except TypeError:
        raise WrongQuestion(f"{file} is not a lock file of this version: delete it and lock the model again") from None


@cache
def find_model(model_id: str) -> ModelFacts:
    """Return the facts of a locked model.

    Raises:
        UnknownModel: There is none of this id; carries the nearest ids.
        WrongQuestion: Its lock file is not one of this version.
    """
    if model_id not in locked_model_ids():
        raise UnknownModel(model_id, nearest_names(model_id, locked_model_ids()))
    locked = _read_lock_file(_lock_files()[model_id])
    return ModelFacts(
        id=locked.id,
        revision=locked.revision,
        gated=locked.gated,
        architecture=parse_config(locked.config, where=locked.id),
        weights_source=locked.weights_source,
        known_weights_bytes=locked.weights_bytes,
        header_parts=locked.parts,
    )


def read_model_folder(folder: Path, *, assume_dense: bool = False) -> ModelFacts:
    """Return the facts of a model from its config.json and, if there is one, its safetensors index.

    Raises:
        WrongQuestion: No config.json, no JSON, a family the planner does not know, or missing fields.
    """
    config = read_json_object(folder / "config.json")
    index_path = folder / "model.safetensors.index.json"
    index = read_json_object(index_path) if index_path.exists() else {}
    metadata = index.get("metadata")
    total = metadata.get("total_size") if isinstance(metadata, dict) else None
    known = int(total) if isinstance(total, int | float) and total > 0 else None
    return ModelFacts(
        id=str(folder),
        revision=None,
        gated=False,
        architecture=parse_config(config, where=str(folder), assume_dense=assume_dense),
        weights_source="index" if known else "computed",
        known_weights_bytes=known,
    )


def load_model(reference: str, *, assume_dense: bool = False) -> ModelFacts:
    """Return the model of a locked id, or of a folder that holds a config.json.

    Raises:
        WrongQuestion: There is neither, or the config.json cannot be planned; without `assume_dense` also where its
            architecture is not one of the known families.
    """
    if reference in locked_model_ids():
        return find_model(reference)
    folder = Path(reference)
    if folder.name == "config.json" and folder.is_file():
        folder = folder.parent
    if folder.is_dir():
        return read_model_folder(folder, assume_dense=assume_dense)
    return find_model(reference)
