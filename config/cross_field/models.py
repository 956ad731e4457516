"""Checks that the values of a model are consistent with each other and with the planner's data.

An invalid value is None in a parsed section (`config.sections`) and is skipped, because it has an error already.
"""

from collections.abc import Iterator, Mapping

from config.cross_field.env import env_errors, env_warnings
from config.cross_field.extra_args import extra_args_errors, extra_args_warnings
from config.cross_field.options import lora_errors, name_errors, option_errors, prefill_errors
from config.cross_field.rope import rope_errors
from config.cross_field.unplanned import unplanned_errors
from config.cross_field.versions import version_errors, version_warnings
from config.errors import ConfigError
from config.settings.model import ModelSettings
from config.values.option_rules import COMMIT
from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.engine.options import batch_defaults
from vllm_eks.planner.engine.startup import S3
from vllm_eks.planner.hardware.instances import InstanceType, UnknownInstanceType, find_instance
from vllm_eks.planner.models.known_models import ModelFacts
from vllm_eks.planner.models.unknown_model import UnknownModel
from vllm_eks.planner.search.named_models import is_folder
from vllm_eks.planner.vllm_version import parse_version
from vllm_eks.stack_files.wording import key_path


def model_errors(model: ModelSettings, name: str, key: str) -> Iterator[ConfigError]:
    """Yield the errors of one model. `name` is its own key, and `key` its full key."""
    yield from _model_is_known(model, key)
    yield from unplanned_errors(model, key)
    yield from _instance_type_is_known(model, key)
    yield from _image_and_version_come_together(model, key)
    yield from _weights_have_a_source(model, key)
    yield from lora_errors(model, key)
    yield from name_errors(model, name, key)
    yield from extra_args_errors(model, _facts(model), key)
    yield from env_errors(model, key)
    yield from version_errors(model, _facts(model), key)


def model_warnings(model: ModelSettings, key: str) -> Iterator[ConfigError]:
    """Yield the warnings of one model."""
    yield from extra_args_warnings(model, _facts(model), key)
    yield from env_warnings(model, key)
    yield from version_warnings(model, _facts(model), key)
    if model.revision and not COMMIT.fullmatch(model.revision):
        text = (
            f"{model.revision!r} is a branch or a tag, so a restarted pod may serve another commit: set the full "
            f"commit hash (40 digits)"
        )
        yield ConfigError(key=key_path(key, "revision"), text=text)


def gated_models(models: Mapping[str, ModelSettings]) -> list[str]:
    """Return the names of the models that are gated on Hugging Face."""
    facts = {name: _facts(model) for name, model in models.items() if not (model.weights and model.weights.s3_uri)}
    return [name for name, known in facts.items() if known and known.gated]


def _instance_type_is_known(model: ModelSettings, key: str) -> Iterator[ConfigError]:
    if model.instance_type is None:  # pyright: ignore[reportUnnecessaryComparison]  (a key with an error holds None)
        return
    try:
        instance = find_instance(model.instance_type)
    except UnknownInstanceType as unknown:
        known = f"is not in the catalogue of GPU instance types{_nearest(unknown.nearest)}"
        text = f"{model.instance_type!r} {unknown.why or known}"
        yield ConfigError(key=key_path(key, "instanceType"), text=text)
        return
    if model.efa and not instance.efa_interfaces:
        yield ConfigError(
            key=key_path(key, "efa"),
            text=f"{instance.type} has no EFA interface: remove efa, or choose a larger size of its family",
        )
    elif model.efa and instance.network_cards > instance.efa_interfaces:
        # One network card of these types has no EFA. No source says which one, and the template gives the first card
        # EFA.
        yield ConfigError(
            key=key_path(key, "efa"),
            text=f"{instance.type} has {instance.network_cards} network cards and {instance.efa_interfaces} EFA "
            "interfaces, which vllm-eks does not support yet: remove efa",
        )
    yield from _batch_holds_every_sequence(model, instance, key)
    yield from prefill_errors(model, instance, _facts(model), key)


def _batch_holds_every_sequence(model: ModelSettings, instance: InstanceType, key: str) -> Iterator[ConfigError]:
    default_tokens, _ = batch_defaults(instance, parse_version(model.vllm_version))
    tokens = model.max_num_batched_tokens or default_tokens
    if model.max_num_seqs and model.max_num_seqs > tokens:
        whose = "" if model.max_num_batched_tokens else f"vLLM's default on {instance.type}, "
        yield ConfigError(
            key=key_path(key, "maxNumSeqs"),
            text=f"{model.max_num_seqs} is above maxNumBatchedTokens ({whose}{tokens}), which vLLM refuses: lower it, "
            "or raise maxNumBatchedTokens",
        )


def _model_is_known(model: ModelSettings, key: str) -> Iterator[ConfigError]:
    if model.model is None or model.planned is False:  # pyright: ignore[reportUnnecessaryComparison]  (None: an error)
        return
    try:
        facts = model.facts()
    except UnknownModel as unknown:
        known = f"is not a locked model{_nearest(unknown.nearest)} (to lock one: {unknown.to_add})"
        text = f"{model.model!r}: {unknown.why}" if unknown.why else f"{model.model!r} {known}"
        yield ConfigError(key=key_path(key, "model"), text=text)
        return
    except WrongQuestion as wrong:
        yield ConfigError(key=key_path(key, "model"), text=str(wrong))
        return
    yield from option_errors(model, facts, key)
    yield from rope_errors(model, key)
    if model.limit_mm_per_prompt and not facts.is_multimodal:
        yield ConfigError(
            key=key_path(key, "limitMmPerPrompt"),
            text=f"{model.model} supports only text: remove limitMmPerPrompt",
        )


def _image_and_version_come_together(model: ModelSettings, key: str) -> Iterator[ConfigError]:
    # An invalid value counts as set, because it has an error already.
    has_image = "own_image" in model.model_fields_set
    has_version = "own_vllm_version" in model.model_fields_set
    if has_image and not has_version:
        yield ConfigError(
            key=key_path(key, "vllmVersion"),
            text='is missing: image needs the vLLM version inside it, such as "0.21.0"',
        )
    if has_version and not has_image:
        yield ConfigError(
            key=key_path(key, "vllmVersion"),
            text="needs image, because the default image has its own vLLM version: remove vllmVersion, or set image "
            "too",
        )


def _weights_have_a_source(model: ModelSettings, key: str) -> Iterator[ConfigError]:
    weights = model.weights
    # A location with an error has its own line.
    has_error = "weights" in model.model_fields_set and (not weights or "s3_uri" in weights.model_fields_set)
    if model.model and is_folder(model.model) and not has_error and not weights.s3_uri:
        yield ConfigError(
            key=key_path(key, "weights", "s3Uri"),
            text=f"is missing: pods cannot read the folder {model.model}: set source: s3, and s3Uri to the S3 folder "
            "with its config.json and weights",
        )
        return
    if not weights or "weights" not in model.model_fields_set:
        return
    if weights.s3_uri and weights.source != S3:
        yield ConfigError(
            key=key_path(key, "weights", "s3Uri"),
            text="conflicts with source: huggingFace: set source: s3, or remove s3Uri",
        )
    elif weights.s3_uri and model.revision:
        yield ConfigError(
            key=key_path(key, "revision"),
            text="conflicts with weights.s3Uri, because a folder in S3 has no revisions: remove it, or include it in "
            "the folder's name",
        )
    if weights.source != S3:
        return
    locked = (known := _facts(model)) and known.revision
    if not weights.s3_uri and not (model.revision or locked) and "revision" not in model.model_fields_set:
        yield ConfigError(
            key=key_path(key, "revision"),
            text="is missing: weights.source: s3 copies one commit, so set its full hash (vllm-eks lock records it)",
        )
    elif not weights.s3_uri and model.revision and not COMMIT.fullmatch(model.revision):
        yield ConfigError(
            key=key_path(key, "revision"),
            text=f"{model.revision!r} is not a commit, and weights.source: s3 copies exactly one: set its full hash "
            "(40 digits)",
        )


def _facts(model: ModelSettings) -> ModelFacts | None:
    try:
        return model.facts() if model.model and model.planned is not False else None
    except WrongQuestion:
        return None


def _nearest(names: tuple[str, ...]) -> str:
    return f": did you mean {' or '.join(names)}?" if names else ""
