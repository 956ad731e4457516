"""What `extraArgs` may hold: flags that vLLM's version has, and that neither the planner nor the chart sets."""

from collections.abc import Iterator
from dataclasses import dataclass

from config.cross_field.env import SECRET_VALUE
from config.errors import Fault
from config.settings.model import ModelSettings
from vllm_eks.errors import closest_name
from vllm_eks.planner.engine.counted_flags import read_counted
from vllm_eks.planner.engine.flag_dispositions import dispositions, refusals_of, warnings_of
from vllm_eks.planner.engine.flag_reading import GivenFlag, Misread, name_of, read_flags
from vllm_eks.planner.engine.flag_tables import flag_table, flags_of, nearest_table
from vllm_eks.planner.engine.startup import S3
from vllm_eks.planner.models.known_models import ModelFacts
from vllm_eks.stack_files.wording import key_path

STREAMER_FLAGS = frozenset({"--load-format", "--model-loader-extra-config"})
"""Flags of how weights are loaded: the plan's own where they are streamed from S3, free otherwise."""
PLUGINS = frozenset({"--tool-parser-plugin", "--reasoning-parser-plugin"})


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What there is to say of one argument."""

    index: int
    text: str
    refuses: bool


def extra_args_faults(model: ModelSettings, facts: ModelFacts | None, key: str) -> Iterator[Fault]:
    """Yield a fault for each argument that vLLM should not get this way."""
    return (_fault(found, key) for found in _verdicts(model, facts) if found.refuses)


def extra_args_warnings(model: ModelSettings, facts: ModelFacts | None, key: str) -> Iterator[Fault]:
    """Yield a warning for each argument that passes and whose effect is not in the plan, or not known."""
    version = model.vllm_version
    if model.extra_args and flag_table(version) is None:
        yield Fault(
            key=key_path(key, "extraArgs"),
            text=f"there is no table of the flags of vLLM {version} here: they are compared with those of "
            f"{nearest_table(version).version}, and an unknown one is not refused",
        )
    yield from (_fault(found, key) for found in _verdicts(model, facts) if not found.refuses)


def names_plugin(model: ModelSettings, flag: str) -> bool:
    """Say whether extraArgs load a parser of the user's own."""
    return any(given.flag.name == flag for given in _read(model)[0])


def _fault(found: Verdict, key: str) -> Fault:
    return Fault(key=key_path(key, "extraArgs", found.index), text=found.text)


def _verdicts(model: ModelSettings, facts: ModelFacts | None) -> list[Verdict]:
    given, errors = _read(model)
    judged = [verdict for one in given for verdict in _judged(one, model, facts)]
    misread = [_misread(error, model) for error in errors]
    counted = read_counted([one for one in given if one.index not in {error.index for error in errors}])
    values = [Verdict(index=error.index, text=error.text, refuses=True) for error in counted.errors]
    # One reason an argument: that the flag may not be there at all comes before its value, a refusal before a warning.
    order = [*(one for one in judged if not one.refuses), *values, *misread, *(one for one in judged if one.refuses)]
    last = {one.index: one for one in order}
    return [last[index] for index in sorted(last)]


def _read(model: ModelSettings) -> tuple[list[GivenFlag], list[Misread]]:
    reading = read_flags(model.extra_args or (), flags_of(model.vllm_version))
    return list(reading.flags), list(reading.errors)


def _misread(error: Misread, model: ModelSettings) -> Verdict:
    refuses = flag_table(model.vllm_version) is not None or not error.by_table
    return Verdict(index=error.index, refuses=refuses, text=_words(error, model))


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
    """Return what to do about a flag of older versions, which is no abbreviation of a new one."""
    advice = dispositions().gone.get(name)
    return f"{written} is not a flag of vLLM {version}: {advice}" if advice else None


def _judged(given: GivenFlag, model: ModelSettings, facts: ModelFacts | None) -> Iterator[Verdict]:
    refusal = _refusal(given, model, facts)
    if refusal:
        yield Verdict(index=given.index, refuses=True, text=refusal)
        return
    for row in warnings_of(given, _quantization(facts)):
        yield Verdict(index=given.index, refuses=False, text=f"{_shown(given)}: {row.reason}")


def _refusal(given: GivenFlag, model: ModelSettings, facts: ModelFacts | None) -> str | None:
    table, name = dispositions(), given.flag.name
    if given.is_short:
        gone = _gone(given.written, name_of(given.written), model.vllm_version)
        if gone:
            return gone
    if name in table.secrets:
        return (
            f"{given.written} would show a secret in the pod's command line: use the secret apiKey or "
            "huggingFaceToken of the stack"
        )
    if any(SECRET_VALUE.search(value) for value in given.values):
        return f"{given.written}: its value looks like a secret, which the pod's command line would show: remove it"
    if name in table.owned:
        short = _other_name(given)
        setting = table.keys.get(name)
        use = f"use {setting} of the model" if setting else "remove it"
        return f"{given.written}{short} is set by vllm-eks itself: {use}"
    if name in STREAMER_FLAGS and model.weights and model.weights.source == S3:
        return f"{given.written} is set by vllm-eks itself where weights are streamed from S3: remove it"
    if name in PLUGINS and not model.own_image and "own_image" not in model.model_fields_set:
        return f"{given.written}: the default image holds no such file: give image of the model, one that holds it"
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
    """Show the flag with its value, where that is short."""
    value = " ".join(given.values)
    return f"{given.written} {value}" if value and "." not in given.written and len(value) <= 40 else given.written
