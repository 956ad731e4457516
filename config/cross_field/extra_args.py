"""Checks `extraArgs`: flags that the vLLM version has, and that neither the planner nor the chart sets."""

from collections.abc import Iterator
from dataclasses import dataclass

from config.cross_field.env import SECRET_VALUE
from config.errors import ConfigError
from config.settings.model import ModelSettings
from vllm_eks.errors import closest_name
from vllm_eks.planner.engine.counted_flags import read_counted
from vllm_eks.planner.engine.flag_dispositions import Need, dispositions, missing_needs, refusals_of, warnings_of
from vllm_eks.planner.engine.flag_reading import GivenFlag, Misread, name_of, read_flags
from vllm_eks.planner.engine.flag_tables import flag_table, flags_of, nearest_table
from vllm_eks.planner.engine.startup import S3
from vllm_eks.planner.models.known_models import ModelFacts
from vllm_eks.stack_files.wording import key_path

STREAMER_FLAGS = frozenset({"--load-format", "--model-loader-extra-config"})
"""Flags for loading weights. The plan sets them when weights are streamed from S3."""
PLUGINS = frozenset({"--tool-parser-plugin", "--reasoning-parser-plugin"})


@dataclass(frozen=True, kw_only=True)
class ArgumentFinding:
    """The result for one argument."""

    index: int
    text: str
    refuses: bool


def extra_args_errors(model: ModelSettings, facts: ModelFacts | None, key: str) -> Iterator[ConfigError]:
    """Yield an error for each refused argument."""
    return (_error(found, key) for found in _verdicts(model, facts) if found.refuses)


def extra_args_warnings(model: ModelSettings, facts: ModelFacts | None, key: str) -> Iterator[ConfigError]:
    """Yield a warning for each accepted argument whose effect is unknown or not in the plan."""
    version = model.vllm_version
    if model.extra_args and flag_table(version) is None:
        yield ConfigError(
            key=key_path(key, "extraArgs"),
            text=f"vllm-eks has no flag table for vLLM {version}: flags are compared with "
            f"{nearest_table(version).version}, and unknown ones are accepted",
        )
    yield from (_error(found, key) for found in _verdicts(model, facts) if not found.refuses)


def names_plugin(model: ModelSettings, flag: str) -> bool:
    """Return whether extraArgs load a custom parser."""
    return any(given.flag.name == flag for given in _read(model)[0])


def _error(found: ArgumentFinding, key: str) -> ConfigError:
    return ConfigError(key=key_path(key, "extraArgs", found.index), text=found.text)


def _verdicts(model: ModelSettings, facts: ModelFacts | None) -> list[ArgumentFinding]:
    given, errors = _read(model)
    judged = [verdict for one in given for verdict in _judged(one, model, facts)]
    misread = [_misread(error, model) for error in errors]
    counted = read_counted([one for one in given if one.index not in {error.index for error in errors}])
    values = [ArgumentFinding(index=error.index, text=error.text, refuses=True) for error in counted.errors]
    values += [
        ArgumentFinding(index=one.index, text=_need_text(one, need), refuses=True) for one, need in missing_needs(given)
    ]
    # One result per argument: an unknown flag before its value, and an error before a warning.
    order = [*(one for one in judged if not one.refuses), *values, *misread, *(one for one in judged if one.refuses)]
    last = {one.index: one for one in order}
    return [last[index] for index in sorted(last)]


def _need_text(given: GivenFlag, need: Need) -> str:
    other = f"{need.other} {need.value}".rstrip()
    return f"{_shown(given)}: vLLM refuses it without {other}: add {other}, or remove it"


def _read(model: ModelSettings) -> tuple[list[GivenFlag], list[Misread]]:
    reading = read_flags(model.extra_args or (), flags_of(model.vllm_version))
    return list(reading.flags), list(reading.errors)


def _misread(error: Misread, model: ModelSettings) -> ArgumentFinding:
    refuses = flag_table(model.vllm_version) is not None or not error.by_table
    return ArgumentFinding(index=error.index, refuses=refuses, text=_words(error, model))


def _words(error: Misread, model: ModelSettings) -> str:
    name, version = error.no_flag, model.vllm_version
    if name is None:
        return error.text
    written = (model.extra_args[error.index]).partition("=")[0]
    gone = _gone(written, name, version)
    if gone:
        return gone
    if not error.text.endswith("is not a flag"):
        return error.text
    near = closest_name(name, flags_of(version))
    return f"{written} is not a flag of vLLM {version}: " + (f"did you mean {near}?" if near else "remove it")


def _gone(written: str, name: str, version: str) -> str | None:
    """Return advice about a flag of older versions that is not the prefix of a new one."""
    advice = dispositions().gone.get(name)
    return f"{written} is not a flag of vLLM {version}: {advice}" if advice else None


def _judged(given: GivenFlag, model: ModelSettings, facts: ModelFacts | None) -> Iterator[ArgumentFinding]:
    refusal = _refusal(given, model, facts)
    if refusal:
        yield ArgumentFinding(index=given.index, refuses=True, text=refusal)
        return
    for row in warnings_of(given, _quantization(facts)):
        yield ArgumentFinding(index=given.index, refuses=False, text=f"{_shown(given)}: {row.reason}")


def _refusal(given: GivenFlag, model: ModelSettings, facts: ModelFacts | None) -> str | None:
    table, name = dispositions(), given.flag.name
    if given.is_short:
        gone = _gone(given.written, name_of(given.written), model.vllm_version)
        if gone:
            return gone
    if name in table.secrets:
        return (
            f"{given.written} would show a secret in the pod's command line: use the stack's secret apiKey or "
            f"huggingFaceToken"
        )
    if any(SECRET_VALUE.search(value) for value in given.values):
        return (
            f"{given.written}: its value looks like a secret, which would be visible in the pod's command line: "
            "remove it"
        )
    if name in table.owned:
        short = _other_name(given)
        setting = table.keys.get(name)
        use = f"use the model's key {setting}" if setting else "remove it"
        return f"{given.written}{short} is set by vllm-eks: {use}"
    if name in STREAMER_FLAGS and model.weights and model.weights.source == S3:
        return f"{given.written} is set by vllm-eks when weights are streamed from S3: remove it"
    if name in PLUGINS and not model.own_image and "own_image" not in model.model_fields_set:
        return f"{given.written}: the default image does not contain this file: set image to one that does"
    row = next(refusals_of(given, _quantization(facts)), None)
    return f"{_shown(given)}: {row.reason}: {row.do}" if row else None


def _other_name(given: GivenFlag) -> str:
    if given.is_short:
        return f", short for {given.spelling},"
    if given.spelling in given.flag.aliases:
        return f", short for {given.flag.name}," if given.spelling[1] != "-" else f", the same as {given.flag.name},"
    return ""


def _quantization(facts: ModelFacts | None) -> str:
    return facts.architecture.quantization.method if facts else ""


def _shown(given: GivenFlag) -> str:
    """Return the flag, with its value if that is short."""
    value = " ".join(given.values)
    return f"{given.written} {value}" if value and "." not in given.written and len(value) <= 40 else given.written
