"""What the values of one model must agree on, among themselves and with the planner's data.

A bad value is None in a parsed section (`config.sections`) and is passed over: its own fault is enough.
"""

from collections.abc import Iterator, Mapping

from config.cross_field.env import env_faults, env_warnings
from config.cross_field.extra_args import extra_args_faults, extra_args_warnings
from config.cross_field.options import lora_faults, name_faults, option_faults, prefill_faults
from config.cross_field.rope import rope_faults
from config.cross_field.unplanned import unplanned_faults
from config.cross_field.versions import version_faults, version_warnings
from config.errors import Fault
from config.settings.model import ModelSettings
from config.values.option_rules import COMMIT
from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.engine.options import batch_defaults
from vllm_eks.planner.engine.startup import S3
from vllm_eks.planner.hardware.instances import InstanceType, UnknownInstanceType, find_instance
from vllm_eks.planner.models.known_models import ModelFacts, UnknownModel
from vllm_eks.planner.search.named_models import is_folder
from vllm_eks.planner.vllm_version import parse_version
from vllm_eks.stack_files.wording import key_path


def model_faults(model: ModelSettings, name: str, key: str) -> Iterator[Fault]:
    """Yield the faults of one model; `name` is its own key, `key` its place in the file."""
    yield from _model_is_known(model, key)
    yield from unplanned_faults(model, key)
    yield from _instance_type_is_known(model, key)
    yield from _image_and_version_come_together(model, key)
    yield from _weights_are_had(model, key)
    yield from lora_faults(model, key)
    yield from name_faults(model, name, key)
    yield from extra_args_faults(model, _facts(model), key)
    yield from env_faults(model, key)
    yield from version_faults(model, _facts(model), key)


def model_warnings(model: ModelSettings, key: str) -> Iterator[Fault]:
    """Yield what is accepted of one model, and what to know of it."""
    yield from extra_args_warnings(model, _facts(model), key)
    yield from env_warnings(model, key)
    yield from version_warnings(model, _facts(model), key)
    if model.revision and not COMMIT.fullmatch(model.revision):
        text = (
            f"{model.revision!r} is a branch or a tag, and a pod that restarts serves what it has become: write the "
            "commit's full hash of 40 digits"
        )
        yield Fault(key=key_path(key, "revision"), text=text)


def gated_models(models: Mapping[str, ModelSettings]) -> list[str]:
    """Return the names of the models that Hugging Face hands out to accepted accounts only."""
    facts = {name: _facts(model) for name, model in models.items() if not (model.weights and model.weights.s3_uri)}
    return [name for name, known in facts.items() if known and known.gated]


def _instance_type_is_known(model: ModelSettings, key: str) -> Iterator[Fault]:
    if model.instance_type is None:  # pyright: ignore[reportUnnecessaryComparison]  (a key with a fault holds None)
        return
    try:
        instance = find_instance(model.instance_type)
    except UnknownInstanceType as unknown:
        known = f"is not in the catalogue of GPU instance types{_nearest(unknown.nearest)}"
        text = f"{model.instance_type!r} {unknown.why or known}"
        yield Fault(key=key_path(key, "instanceType"), text=text)
        return
    if model.efa and not instance.efa_interfaces:
        yield Fault(
            key=key_path(key, "efa"),
            text=f"{instance.type} has no EFA interface: remove efa, or take a larger size of its family",
        )
    elif model.efa and instance.network_cards > instance.efa_interfaces:
        # One card takes no EFA there, and no source says that it is not the first, which our template gives one.
        yield Fault(
            key=key_path(key, "efa"),
            text=f"{instance.type} has {instance.network_cards} network cards and {instance.efa_interfaces} EFA "
            "interfaces, a layout vllm-eks does not set up yet: remove efa",
        )
    yield from _batch_holds_every_sequence(model, instance, key)
    yield from prefill_faults(model, instance, _facts(model), key)


def _batch_holds_every_sequence(model: ModelSettings, instance: InstanceType, key: str) -> Iterator[Fault]:
    default_tokens, _ = batch_defaults(instance, parse_version(model.vllm_version))
    tokens = model.max_num_batched_tokens or default_tokens
    if model.max_num_seqs and model.max_num_seqs > tokens:
        whose = "" if model.max_num_batched_tokens else f"vLLM's default on {instance.type}, "
        yield Fault(
            key=key_path(key, "maxNumSeqs"),
            text=f"{model.max_num_seqs} is more than maxNumBatchedTokens ({whose}{tokens}), which vLLM refuses: "
            "lower it, or raise maxNumBatchedTokens",
        )


def _model_is_known(model: ModelSettings, key: str) -> Iterator[Fault]:
    if model.model is None or model.planned is False:  # pyright: ignore[reportUnnecessaryComparison]  (None: a fault)
        return
    try:
        facts = model.facts()
    except UnknownModel as unknown:
        known = f"is not a model the planner has facts of{_nearest(unknown.nearest)} (to add one: {unknown.to_add})"
        text = f"{model.model!r}: {unknown.why}" if unknown.why else f"{model.model!r} {known}"
        yield Fault(key=key_path(key, "model"), text=text)
        return
    except WrongQuestion as wrong:
        yield Fault(key=key_path(key, "model"), text=str(wrong))
        return
    yield from option_faults(model, facts, key)
    yield from rope_faults(model, key)
    if model.limit_mm_per_prompt and not facts.is_multimodal:
        yield Fault(
            key=key_path(key, "limitMmPerPrompt"),
            text=f"{model.model} takes text only: remove limitMmPerPrompt",
        )


def _image_and_version_come_together(model: ModelSettings, key: str) -> Iterator[Fault]:
    # A bad value counts as given: its own fault is enough.
    has_image = "own_image" in model.model_fields_set
    has_version = "own_vllm_version" in model.model_fields_set
    if has_image and not has_version:
        yield Fault(
            key=key_path(key, "vllmVersion"),
            text='is missing beside an own image: give the vLLM version inside it, such as "0.21.0"',
        )
    if has_version and not has_image:
        yield Fault(
            key=key_path(key, "vllmVersion"),
            text="needs image, because the default image has its own vLLM: remove vllmVersion, or set image too",
        )


def _weights_are_had(model: ModelSettings, key: str) -> Iterator[Fault]:
    weights = model.weights
    if model.model and is_folder(model.model) and not (weights and weights.s3_uri):
        yield Fault(
            key=key_path(key, "weights", "s3Uri"),
            text=f"is missing beside {model.model}, a folder that pods do not see: write source: s3, and s3Uri with "
            "the folder of its config.json and weights in S3",
        )
        return
    if not weights or "weights" not in model.model_fields_set:
        return
    if weights.s3_uri and weights.source != S3:
        yield Fault(
            key=key_path(key, "weights", "s3Uri"),
            text="conflicts with source: huggingFace, which never looks there: write source: s3, or remove s3Uri",
        )
    elif weights.s3_uri and model.revision:
        yield Fault(
            key=key_path(key, "revision"),
            text="conflicts with weights.s3Uri, and a folder in S3 has no revisions: remove revision, or name the "
            "folder after it",
        )
    if weights.source != S3:
        return
    locked = (known := _facts(model)) and known.revision
    if not weights.s3_uri and not (model.revision or locked) and "revision" not in model.model_fields_set:
        yield Fault(
            key=key_path(key, "revision"),
            text="is missing beside weights.source: s3, which copies one commit of the repository: give its full "
            "hash (vllm-eks lock writes it down)",
        )
    elif not weights.s3_uri and model.revision and not COMMIT.fullmatch(model.revision):
        yield Fault(
            key=key_path(key, "revision"),
            text=f"{model.revision!r} is not a commit, and weights.source: s3 copies one for good: give its full hash "
            "of 40 digits",
        )


def _facts(model: ModelSettings) -> ModelFacts | None:
    try:
        return model.facts() if model.model and model.planned is not False else None
    except WrongQuestion:
        return None


def _nearest(names: tuple[str, ...]) -> str:
    return f": did you mean {' or '.join(names)}?" if names else ""
