"""The models that can be planned: lock files in the data folders, or a folder with a config.json."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal, Self, get_args

from vllm_eks.data import DATA
from vllm_eks.errors import WrongQuestion, nearest_names
from vllm_eks.json_fields import Fields, WrongField
from vllm_eks.json_files import read_json_object
from vllm_eks.planner.models.architecture import Architecture
from vllm_eks.planner.models.config_json import parse_config
from vllm_eks.planner.models.lock_folders import MODELS, lock_file, lock_file_name, locked_model_ids
from vllm_eks.planner.models.unknown_model import UnknownModel
from vllm_eks.planner.models.weights import WeightParts, compute_parts, parts_of_headers
from vllm_eks.planner.units import gib

LOCKED = DATA / MODELS
"""The shipped lock files."""

MORE_THAN_16_BITS = 1.5
"""A checkpoint that says float32 and has this many times its 16-bit bytes, or an unknown size, is stored in 32 bits."""
SAME_MODEL_WITHIN = 8.0
"""No checkpoint differs by more from the size that its config describes: 32-bit files by a factor of 2, unquantized
ones by 4."""

WeightsSource = Literal["headers", "index", "computed"]
WEIGHTS_SOURCES: tuple[WeightsSource, ...] = get_args(WeightsSource)


@dataclass(frozen=True, kw_only=True, eq=False)
class LockedModel:
    """One lock file."""

    id: str
    revision: str | None
    """The commit that vLLM serves with --revision, or null when it was not looked up."""
    gated: bool
    weights_source: WeightsSource
    weights_bytes: int | None
    """Total size of the safetensors tensors, unless weights_source is `computed`."""
    config: dict[str, Any]
    """The fields of config.json that the planner reads, with their original names."""
    sources: dict[str, str]
    parts: dict[str, Any] | None = None
    """Bytes by part from the safetensors headers, when weights_source is `headers`."""

    @classmethod
    def from_json(cls, document: object, *, where: str) -> Self:
        """Return the content of a lock file.

        Raises:
            WrongField: It lacks a field, or has one of another name or type.
        """
        fields = Fields(document, where=where)
        read = cls(
            id=fields.required("id", str),
            revision=fields.nullable("revision", str),
            gated=fields.required("gated", bool),
            weights_source=fields.choice("weights_source", WEIGHTS_SOURCES),
            weights_bytes=fields.nullable("weights_bytes", int),
            config=fields.json_object("config"),
            sources=fields.by_name("sources", str),
            parts=fields.optional_object("parts"),
        )
        fields.end()
        return read


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelFacts:
    """All properties of a model that a plan depends on. Compared by identity, like its architecture."""

    id: str
    revision: str | None
    gated: bool
    architecture: Architecture
    weights_source: WeightsSource | Literal["stated"]
    """`stated` by the user for a model that is not planned."""
    known_weights_bytes: int | None
    header_parts: Mapping[str, Any] | None = None
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The fields of config.json that the architecture is read from."""

    @cached_property
    def parts(self) -> WeightParts:
        """Bytes by part, from the files' headers or else computed from the config."""
        if self.header_parts:
            return parts_of_headers(self.header_parts, self.architecture)
        return compute_parts(self.architecture)

    @property
    def weights_bytes(self) -> int:
        """Bytes of the checkpoint's files, from its headers or index or else computed."""
        return self.known_weights_bytes or round(self.parts.total_bytes) * (1 + self.is_stored_in_32_bits)

    @property
    def loaded_bytes(self) -> float:
        """Bytes of one copy in GPU memory, in 16 bits where the files have 32."""
        return self.weights_bytes / (1 + self.is_stored_in_32_bits)

    @cached_property
    def weights_scale(self) -> float:
        """Known bytes over computed bytes. The parts are scaled by it so that they add up to the known total.

        An index also counts layers for multi-token prediction if the repository contains them (DeepSeek: 641.3 GiB in
        the files, 637 loaded). The ratio uses the computed total, with or without them, that is nearer to the index.
        """
        computed, drafts = self.parts.total_bytes, self.parts.draft_bytes
        if not self.known_weights_bytes or self.architecture.quantization.method == "mxfp4":
            return 1.0  # vLLM rounds MXFP4 sizes up when it loads them, so only the config's sizes count
        return self.loaded_bytes / min((computed, computed + drafts), key=lambda size: abs(size - self.loaded_bytes))

    def check_size(self, where: str) -> None:
        """Check that the known bytes and the config belong to the same model.

        Args:
            where: The place of the known bytes, for messages.

        Raises:
            WrongQuestion: There are none, or one has many times the size of the other.
        """
        known, computed = self.known_weights_bytes, compute_parts(self.architecture).total_bytes
        if not known or not 1 / SAME_MODEL_WITHIN < known / computed < SAME_MODEL_WITHIN:
            raise WrongQuestion(
                f"{where} is {gib(known or 0):,.2f} GiB, and config.json describes a model of "
                f"{gib(computed):,.2f} GiB: use files of the same model"
            )

    @cached_property
    def is_stored_in_32_bits(self) -> bool:
        """Whether the files have 32-bit values, which vLLM casts to 16 bits (--dtype auto, config/model.py)."""
        model = self.architecture
        if not self.known_weights_bytes:
            return model.dtype == "float32" and not model.quantization.is_quantized
        return (
            model.dtype == "float32" and self.known_weights_bytes > MORE_THAN_16_BITS * compute_parts(model).total_bytes
        )

    @property
    def is_multimodal(self) -> bool:
        """Whether requests may carry images."""
        return self.architecture.vision is not None


def _read_lock_file(file: Path) -> LockedModel:
    locked = LockedModel.from_json(read_json_object(file), where=str(file))
    if lock_file_name(locked.id) != file.name:
        raise WrongQuestion(f"{file} is the lock file of {locked.id}: rename it to {lock_file_name(locked.id)}")
    return locked


def find_model(model_id: str) -> ModelFacts:
    """Return the facts of a locked model.

    Raises:
        UnknownModel: No locked model has this id. The error has the nearest ids.
        WrongQuestion: Another version wrote its lock file.
    """
    file = lock_file(model_id)
    if file is None:
        raise UnknownModel(model_id, nearest_names(model_id, locked_model_ids()))
    return _locked_facts(file)


@cache
def _locked_facts(file: Path) -> ModelFacts:
    try:
        locked = _read_lock_file(file)
        facts = _facts_of(locked)
        if locked.weights_source != "computed":
            _ = facts.parts  # an error in the file is reported now
            facts.check_size(f"{file}: weights_bytes")
    except WrongField:
        raise WrongQuestion(f"{file} is not a lock file of this version: delete it and lock the model again") from None
    return facts


def _facts_of(locked: LockedModel) -> ModelFacts:
    return ModelFacts(
        id=locked.id,
        revision=locked.revision,
        gated=locked.gated,
        architecture=parse_config(locked.config, where=locked.id),
        weights_source=locked.weights_source,
        known_weights_bytes=locked.weights_bytes,
        header_parts=locked.parts,
        config=locked.config,
    )
