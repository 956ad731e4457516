"""Checks a model's options against the vLLM version: the names and choices in its flag table.

Without a table for the version, unknown values are only warnings, which name the table that was used.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from config.cross_field.extra_args import names_plugin
from config.errors import ConfigError
from config.settings.model import ModelSettings
from vllm_eks.errors import closest_name
from vllm_eks.planner.engine.flag_tables import FlagTable, flag_table, nearest_table
from vllm_eks.planner.engine.options import KV_CACHE_DTYPES
from vllm_eks.planner.engine.serving_flags import AUTO, family_parsers
from vllm_eks.planner.models.known_models import ModelFacts
from vllm_eks.stack_files.wording import key_path

SIXTEEN_BITS = ("bfloat16", "float16")


@dataclass(frozen=True, kw_only=True)
class VersionFinding:
    """An error or a warning about an option."""

    error: ConfigError
    refuses: bool


def version_errors(model: ModelSettings, facts: ModelFacts | None, key: str) -> Iterator[ConfigError]:
    """Yield the errors about values that the version does not accept."""
    return (found.error for found in _findings(model, facts, key) if found.refuses)


def version_warnings(model: ModelSettings, facts: ModelFacts | None, key: str) -> Iterator[ConfigError]:
    """Yield the warnings about values that the version may not accept."""
    return (found.error for found in _findings(model, facts, key) if not found.refuses)


def _findings(model: ModelSettings, facts: ModelFacts | None, key: str) -> Iterator[VersionFinding]:
    table = nearest_table(model.vllm_version)
    has_table = flag_table(model.vllm_version) is not None
    for error, needs_table in (
        *_parsers(model, facts, table, key),
        *_lora_rank(model, table, key),
        *_kv_cache_dtype(model, facts, table, key),
    ):
        refuses = has_table or not needs_table
        text = (
            error.text
            if refuses
            else f"{error.text} (compared with vLLM {table.version}, the nearest version with a table)"
        )
        yield VersionFinding(error=ConfigError(key=error.key, text=text), refuses=refuses)
    yield from _parsers_of_custom_image(model, table, key)
    if model.limit_mm_per_prompt and any(isinstance(limit, dict) for limit in model.limit_mm_per_prompt.values()):
        text = "vLLM reserves memory for these sizes but accepts larger items: set the largest"
        yield VersionFinding(error=ConfigError(key=key_path(key, "limitMmPerPrompt"), text=text), refuses=False)


Told = Iterator[tuple[ConfigError, bool]]
"""Errors, each with whether it depends on the flag table of the version."""


def _parsers(model: ModelSettings, facts: ModelFacts | None, table: FlagTable, key: str) -> Told:
    families = family_parsers(facts.architecture.name) if facts else (None, None)
    for (name, requested, known, what, _), family in zip(_requested_parsers(model, table), families, strict=True):
        if requested == AUTO and family and family not in known:
            text = f"auto is {family} for {model.model}, which vLLM {model.vllm_version} does not have: set another"
            yield ConfigError(key=key_path(key, name), text=text), True
        elif requested and requested not in (AUTO, *known) and not _is_own(model, table, name):
            yield ConfigError(key=key_path(key, name), text=_unknown(requested, known, what, model.vllm_version)), True


def _parsers_of_custom_image(model: ModelSettings, table: FlagTable, key: str) -> Iterator[VersionFinding]:
    for name, requested, known, what, plugin in _requested_parsers(model, table):
        if (
            requested
            and requested not in (AUTO, *known)
            and _is_own(model, table, name)
            and not names_plugin(model, plugin)
        ):
            version = model.vllm_version if flag_table(model.vllm_version) else table.version
            text = f"{_unknown(requested, known, what, version)}, unless the image contains it"
            yield VersionFinding(error=ConfigError(key=key_path(key, name), text=text), refuses=False)


def _is_own(model: ModelSettings, table: FlagTable, name: str) -> bool:
    """Return whether a parser may come from the user's image or plugin."""
    plugin = next(flag for setting, _, _, _, flag in _requested_parsers(model, table) if setting == name)
    return bool(model.own_image) or names_plugin(model, plugin)


def _requested_parsers(
    model: ModelSettings, table: FlagTable
) -> tuple[tuple[str, str | None, Sequence[str], str, str], ...]:
    return (
        ("toolCallParser", model.tool_call_parser, table.tool_parsers, "a tool-call parser", "--tool-parser-plugin"),
        (
            *("reasoningParser", model.reasoning_parser, table.reasoning_parsers),
            *("a reasoning parser", "--reasoning-parser-plugin"),
        ),
    )


def _unknown(requested: str, known: Sequence[str], what: str, version: str) -> str:
    near = closest_name(requested, known)
    advice = f"did you mean {near}?" if near else f"set {AUTO}, or one of {', '.join(known)}"
    return f"{requested!r} is not {what} of vLLM {version}: {advice}"


def _lora_rank(model: ModelSettings, table: FlagTable, key: str) -> Told:
    ranks = table.flags["--max-lora-rank"].choices
    if model.max_lora_rank and str(model.max_lora_rank) not in ranks:
        text = (
            f"{model.max_lora_rank} is not a rank that vLLM {model.vllm_version} supports: set one of "
            f"{', '.join(ranks)}"
        )
        yield ConfigError(key=key_path(key, "maxLoraRank"), text=text), True


def _kv_cache_dtype(model: ModelSettings, facts: ModelFacts | None, table: FlagTable, key: str) -> Told:
    requested, place = model.kv_cache_dtype, key_path(key, "kvCacheDtype")
    planned = ", ".join(KV_CACHE_DTYPES)
    if not requested or requested == AUTO:
        return
    if requested not in KV_CACHE_DTYPES and requested in table.kv_cache_dtypes:
        text = f"the planner does not support a KV cache of {requested} yet: set one of {planned}"
        yield ConfigError(key=place, text=text), False
    elif requested not in KV_CACHE_DTYPES:
        near = closest_name(requested, KV_CACHE_DTYPES)
        advice = f"did you mean {near}?" if near else f"set one of {planned}"
        yield ConfigError(key=place, text=f"{requested!r} is not a data type for the KV cache: {advice}"), False
    elif requested in SIXTEEN_BITS and facts and facts.architecture.dtype in SIXTEEN_BITS:
        given = model.serving_options().flags.dtype
        own = facts.architecture.dtype if given == AUTO else given
        if requested != own:
            text = f"{requested} is not the data type of {model.model}, which vLLM requires: set auto or {own}"
            yield ConfigError(key=place, text=text), False
