"""The measured constants of the speed model. data/speed.json has each with the rows that it came from."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from vllm_eks.data import DATA
from vllm_eks.json_fields import Fields
from vllm_eks.json_files import read_json_object
from vllm_eks.planner.vllm_version import Version

SPEED = DATA / "speed.json"


@dataclass(frozen=True, kw_only=True)
class Constants:
    """Constants for all GPUs, most of them by class of kernels or by link."""

    memory_efficiency: Mapping[str, float]
    """Share of the memory bandwidth that is reached, by the width of what is read."""
    flops_efficiency: Mapping[str, float]
    """Share of the peak that is reached, by class of kernels, and for experts. Attention counts as 16-bit."""
    link_efficiency: Mapping[str, float]
    """Share of the link's bandwidth that a collective reaches."""
    link_microseconds: Mapping[str, float]
    """Latency of one collective, or of one hop between stages."""
    link_rank_microseconds: Mapping[str, float]
    """Latency that each further rank adds to it."""
    routing_evenness: float
    """Tokens that touch other experts than those before them, over all: routing is not even."""
    activation_passes: float
    """How often a layer reads or writes a token's activations between its matrices, in hidden sizes."""
    layer_microseconds: float
    """Time of a layer in which the GPU neither reads weights nor computes: starts and ends of its kernels."""
    expert_microseconds: float
    """The same, in addition, for each expert that a token is routed to."""
    prompt_layer_microseconds: float
    """The same, in addition, in a step with prompt tokens, whose kernels are not in a CUDA graph."""
    step_microseconds: Mapping[Version, float]
    """Time of the engine between two steps, by the first vLLM version of a generation."""
    request_microseconds: Mapping[Version, float]
    """The same for each request of a step: scheduling, sampling, output."""
    answer_microseconds: float
    """Time of a request outside the engine: HTTP, first event."""
    prompt_token_microseconds: float
    """The same for each token of its prompt: chat template, tokenizer, hashes of its blocks."""


@cache
def speed_document() -> Mapping[str, object]:
    """Return the content of data/speed.json."""
    return read_json_object(SPEED)


@cache
def known_constants() -> Constants:
    """Return the constants of data/speed.json."""
    return constants_of(speed_document())


def constants_of(document: Mapping[str, object]) -> Constants:
    """Return the constants in a document like data/speed.json."""
    fields = Fields(document, where=str(SPEED))
    overhead = Fields(fields.json_object("overhead_microseconds"), where=f"{SPEED}: overhead_microseconds")
    return Constants(
        memory_efficiency=fields.by_name("memory_efficiency", float),
        flops_efficiency=fields.by_name("flops_efficiency", float),
        link_efficiency=fields.by_name("link_efficiency", float),
        link_microseconds=fields.by_name("link_microseconds", float),
        link_rank_microseconds=fields.by_name("link_rank_microseconds", float),
        routing_evenness=fields.required("routing_evenness", float),
        activation_passes=fields.required("activation_passes", float),
        layer_microseconds=overhead.required("layer", float),
        expert_microseconds=overhead.required("expert", float),
        prompt_layer_microseconds=overhead.required("prompt_layer", float),
        step_microseconds=_by_version(overhead.by_name("step", float)),
        request_microseconds=_by_version(overhead.by_name("request", float)),
        prompt_token_microseconds=overhead.required("prompt_token", float),
        answer_microseconds=overhead.required("answer", float),
    )


def _by_version(values: Mapping[str, float]) -> Mapping[Version, float]:
    split = {name: name.split(".") for name in values}
    return {(int(major), int(minor), 0): values[name] for name, (major, minor) in split.items()}


def of_version(values: Mapping[Version, float], version: Version) -> float:
    """Return the value of the generation that a version belongs to."""
    return values[max(since for since in values if since <= version)]
