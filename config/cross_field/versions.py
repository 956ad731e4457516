"""What the options of a model must agree on with the vLLM version that runs: names and choices of its table.

Without a table of the version nothing is refused for being unknown: a warning says which table was used.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from config.cross_field.extra_args import names_plugin
from config.errors import Fault
from config.settings.model import ModelSettings
from vllm_eks.errors import closest_name
from vllm_eks.planner.engine.flag_tables import FlagTable, flag_table, nearest_table
from vllm_eks.planner.engine.options import KV_CACHE_DTYPES
from vllm_eks.planner.engine.serving_flags import AUTO, family_parsers
from vllm_eks.planner.models.known_models import ModelFacts
from vllm_eks.stack_files.wording import key_path

SIXTEEN_BITS = ("bfloat16", "float16")


@dataclass(frozen=True, kw_only=True)
class VersionFault:
    """A fault where it refuses, a warning where it does not."""

    fault: Fault
    refuses: bool


def version_faults(model: ModelSettings, facts: ModelFacts | None, key: str) -> Iterator[Fault]:
    """Yield the faults of values that the version does not take."""
    return (found.fault for found in _findings(model, facts, key) if found.refuses)


def version_warnings(model: ModelSettings, facts: ModelFacts | None, key: str) -> Iterator[Fault]:
    """Yield the warnings of values that are not known to be taken."""
    return (found.fault for found in _findings(model, facts, key) if not found.refuses)


def _findings(model: ModelSettings, facts: ModelFacts | None, key: str) -> Iterator[VersionFault]:
    table = nearest_table(model.vllm_version)
    has_table = flag_table(model.vllm_version) is not None
    for fault, needs_table in (
        *_parsers(model, facts, table, key),
        *_lora_rank(model, table, key),
        *_kv_cache_dtype(model, facts, table, key),
    ):
        refuses = has_table or not needs_table
        text = fault.text if refuses else f"{fault.text} (compared with vLLM {table.version}, the nearest with a table)"
        yield VersionFault(fault=Fault(key=fault.key, text=text), refuses=refuses)
    yield from _own_images_parsers(model, table, key)
    if model.limit_mm_per_prompt and any(isinstance(limit, dict) for limit in model.limit_mm_per_prompt.values()):
        text = "sizes are what vLLM holds memory back for, and it takes larger items all the same: give the largest"
        yield VersionFault(fault=Fault(key=key_path(key, "limitMmPerPrompt"), text=text), refuses=False)


Told = Iterator[tuple[Fault, bool]]
"""Faults, each with whether it rests on the table of the version."""


def _parsers(model: ModelSettings, facts: ModelFacts | None, table: FlagTable, key: str) -> Told:
    families = family_parsers(facts.architecture.name) if facts else (None, None)
    for (name, wish, known, what, _), family in zip(_wishes(model, table), families, strict=True):
        if wish == AUTO and family and family not in known:
            text = f"auto is {family} for {model.model}, which vLLM {model.vllm_version} does not have: name another"
            yield Fault(key=key_path(key, name), text=text), True
        elif wish and wish not in (AUTO, *known) and not _is_own(model, table, name):
            yield Fault(key=key_path(key, name), text=_unknown(wish, known, what, model.vllm_version)), True


def _own_images_parsers(model: ModelSettings, table: FlagTable, key: str) -> Iterator[VersionFault]:
    for name, wish, known, what, plugin in _wishes(model, table):
        if wish and wish not in (AUTO, *known) and _is_own(model, table, name) and not names_plugin(model, plugin):
            version = model.vllm_version if flag_table(model.vllm_version) else table.version
            text = f"{_unknown(wish, known, what, version)}, unless the image brings it"
            yield VersionFault(fault=Fault(key=key_path(key, name), text=text), refuses=False)


def _is_own(model: ModelSettings, table: FlagTable, name: str) -> bool:
    """Say whether a parser may be the user's own: an image or a plugin of theirs brings it."""
    plugin = next(flag for setting, _, _, _, flag in _wishes(model, table) if setting == name)
    return bool(model.own_image) or names_plugin(model, plugin)


def _wishes(model: ModelSettings, table: FlagTable) -> tuple[tuple[str, str | None, Sequence[str], str, str], ...]:
    return (
        ("toolCallParser", model.tool_call_parser, table.tool_parsers, "a tool-call parser", "--tool-parser-plugin"),
        (
            *("reasoningParser", model.reasoning_parser, table.reasoning_parsers),
            *("a reasoning parser", "--reasoning-parser-plugin"),
        ),
    )


def _unknown(wish: str, known: Sequence[str], what: str, version: str) -> str:
    near = closest_name(wish, known)
    advice = f"did you mean {near}?" if near else f"write {AUTO}, or one of {', '.join(known)}"
    return f"{wish!r} is not {what} of vLLM {version}: {advice}"


def _lora_rank(model: ModelSettings, table: FlagTable, key: str) -> Told:
    ranks = table.flags["--max-lora-rank"].choices
    if model.max_lora_rank and str(model.max_lora_rank) not in ranks:
        text = f"{model.max_lora_rank} is not a rank that vLLM {model.vllm_version} takes: write {', '.join(ranks)}"
        yield Fault(key=key_path(key, "maxLoraRank"), text=text), True


def _kv_cache_dtype(model: ModelSettings, facts: ModelFacts | None, table: FlagTable, key: str) -> Told:
    wish, place = model.kv_cache_dtype, key_path(key, "kvCacheDtype")
    planned = ", ".join(KV_CACHE_DTYPES)
    if not wish or wish == AUTO:
        return
    if wish not in KV_CACHE_DTYPES and wish in table.kv_cache_dtypes:
        text = f"the memory of a KV cache of {wish} is not planned yet: write one of {planned}"
        yield Fault(key=place, text=text), False
    elif wish not in KV_CACHE_DTYPES:
        near = closest_name(wish, KV_CACHE_DTYPES)
        advice = f"did you mean {near}?" if near else f"write one of {planned}"
        yield Fault(key=place, text=f"{wish!r} is not a data type of the KV cache: {advice}"), False
    elif wish in SIXTEEN_BITS and facts and facts.architecture.dtype in SIXTEEN_BITS:
        own = facts.architecture.dtype
        if wish != own:
            text = f"{wish} is not the data type of {model.model}, which vLLM refuses: write auto, or {own}"
            yield Fault(key=place, text=text), False
