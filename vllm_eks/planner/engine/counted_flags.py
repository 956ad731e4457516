"""Reads the flags that planner.memory counts from arguments of `vllm serve` into `EngineFlags`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from vllm_eks.errors import WrongQuestion
from vllm_eks.json_values import object_or_empty
from vllm_eks.planner.engine.engine_flags import NO_FLAGS, OFFLOADING_CONNECTORS, EngineFlags
from vllm_eks.planner.engine.flag_reading import GivenFlag, Misread, read_flags
from vllm_eks.planner.engine.flag_tables import flags_of
from vllm_eks.planner.engine.flag_values import human_integer
from vllm_eks.planner.engine.given_values import backend_name, json_object, size_of, whole_number
from vllm_eks.planner.engine.graph_flags import (
    capture_sizes,
    compilation,
    largest_capture,
    optimization_level,
    performance_mode,
)
from vllm_eks.planner.engine.speculation import Speculation, parse_speculation
from vllm_eks.planner.units import BYTES_PER_GIB

SPECULATION_FLAGS = {"--spec-method": "method", "--spec-model": "model", "--spec-tokens": "num_speculative_tokens"}
"""Flags for single keys of --speculative-config."""
SAME_DTYPE = {"half": "float16", "float": "float32"}
BLOCK_MULTIPLE = 16
"""Attention backends on CUDA accept blocks of a multiple of 16 tokens."""


@dataclass(frozen=True, kw_only=True)
class CountedFlags:
    """The counted flags of a list of arguments, and the errors in their values."""

    flags: EngineFlags
    errors: Sequence[Misread]


def read_counted(given: Sequence[GivenFlag]) -> CountedFlags:
    """Return the counted flags among the flags that `read_flags` found, and the errors in their values."""
    flags = EngineFlags()
    errors: list[Misread] = []
    for flag in given:
        try:
            flags = COUNTED[flag.flag.name](flags, flag) if flag.flag.name in COUNTED else flags
        except ValueError as error:
            errors.append(Misread(index=flag.index, text=f"{flag.written}: {error}", by_table=False))
    try:
        flags = replace(flags, speculation=_speculation(given))
    except ValueError as error:
        first = next(_speculative(given))
        errors.append(Misread(index=first.index, text=f"{first.written}: {error}", by_table=False))
    return CountedFlags(flags=flags, errors=errors)


def checked_flags(args: Sequence[str], version: str) -> EngineFlags:
    """Return the counted flags among the arguments of `vllm serve`.

    Raises:
        WrongQuestion: vLLM would refuse an argument. The message lists all errors.
    """
    if not args:
        return NO_FLAGS  # without reading the table of flags
    reading = read_flags(args, flags_of(version))
    wrong = {error.index for error in reading.errors}
    counted = read_counted([flag for flag in reading.flags if flag.index not in wrong])
    errors = [f"{error.text}{_of_version(error, version)}" for error in (*reading.errors, *counted.errors)]
    if errors:
        raise WrongQuestion("; ".join(errors))
    return counted.flags


def _of_version(error: Misread, version: str) -> str:
    return f" of vLLM {version}" if error.no_flag else ""


def engine_flags(args: Sequence[str], version: str) -> EngineFlags:
    """Return the counted flags among the arguments of `vllm serve`. Arguments with errors are ignored."""
    reading = read_flags(args, flags_of(version))
    wrong = {error.index for error in reading.errors}
    return read_counted([flag for flag in reading.flags if flag.index not in wrong]).flags


def _speculative(given: Sequence[GivenFlag]) -> Iterator[GivenFlag]:
    return (flag for flag in given if flag.flag.name == "--speculative-config" or flag.flag.name in SPECULATION_FLAGS)


def _speculation(given: Sequence[GivenFlag]) -> Speculation | None:
    config: dict[str, object] = {}
    for flag in _speculative(given):
        key = SPECULATION_FLAGS.get(flag.flag.name)
        if key is None:
            config = json_object(flag) | config
        elif key in config:
            raise ValueError(f"{key} is in --speculative-config too: remove one")
        else:
            config[key] = whole_number(flag) if key == "num_speculative_tokens" else flag.values[0]
    return parse_speculation(config) if config else None


def _dtype(flags: EngineFlags, given: GivenFlag) -> EngineFlags:
    value = given.values[0].lower()
    return replace(flags, dtype=SAME_DTYPE.get(value, value))


def _cpu_offload(flags: EngineFlags, given: GivenFlag) -> EngineFlags:
    return replace(flags, offload=replace(flags.offload, gib_per_gpu=size_of(given)))


def _offload_group(flags: EngineFlags, given: GivenFlag) -> EngineFlags:
    return replace(flags, offload=replace(flags.offload, group_layers=whole_number(given)))


def _offload_of_group(flags: EngineFlags, given: GivenFlag) -> EngineFlags:
    return replace(flags, offload=replace(flags.offload, layers_of_group=whole_number(given)))


def _offload_fetched(flags: EngineFlags, given: GivenFlag) -> EngineFlags:
    return replace(flags, offload=replace(flags.offload, fetched_layers=whole_number(given)))


def _kv_offloading(flags: EngineFlags, given: GivenFlag) -> EngineFlags:
    if given.values[0] in ("", "None"):
        return flags
    return replace(flags, kv_offloading_bytes=max(flags.kv_offloading_bytes, size_of(given) * BYTES_PER_GIB))


def _connector(flags: EngineFlags, given: GivenFlag) -> EngineFlags:
    config = json_object(given)
    name = config.get("kv_connector")
    if not isinstance(name, str) or name not in OFFLOADING_CONNECTORS:
        return flags  # dispositions.json refuses other connectors
    if not config.get("kv_role"):
        raise ValueError(f'{name} has no role: add "kv_role": "kv_both"')
    extra = object_or_empty(config.get("kv_connector_extra_config"))
    size: object = extra.get("cpu_bytes_to_use", OFFLOADING_CONNECTORS[name])
    if isinstance(size, bool) or not isinstance(size, int | float) or size <= 0:
        raise ValueError(f"{name} has no size: add kv_connector_extra_config.cpu_bytes_to_use, in bytes")
    if "cpu_bytes_to_use_per_rank" in extra:
        raise ValueError("cpu_bytes_to_use_per_rank: use cpu_bytes_to_use, the bytes of all ranks")
    return replace(flags, kv_offloading_bytes=max(flags.kv_offloading_bytes, float(size)))


def _language_model_only(flags: EngineFlags, given: GivenFlag) -> EngineFlags:
    return replace(flags, language_model_only=not given.is_off)


def _async_scheduling(flags: EngineFlags, given: GivenFlag) -> EngineFlags:
    return replace(flags, async_scheduling=not given.is_off)


def _block_size(flags: EngineFlags, given: GivenFlag) -> EngineFlags:
    tokens = whole_number(given)
    if tokens % BLOCK_MULTIPLE:
        raise ValueError(
            f"{tokens} is not a multiple of {BLOCK_MULTIPLE}, which attention on CUDA needs: write 16 or 32"
        )
    return replace(flags, block_tokens=tokens)


def _kv_cache_bytes(flags: EngineFlags, given: GivenFlag) -> EngineFlags:
    if given.values[0] in ("", "None"):
        return flags
    size = human_integer(given.values[0])
    if size < 1:
        raise ValueError(f"{size} is not 1 or more")
    return replace(flags, kv_cache_bytes=size)


def _gpu_blocks(flags: EngineFlags, given: GivenFlag) -> EngineFlags:
    return flags if given.values[0] in ("", "None") else replace(flags, num_gpu_blocks=whole_number(given))


def _state_dtype(flags: EngineFlags, given: GivenFlag) -> EngineFlags:
    return replace(flags, state_dtype=given.values[0])


def _convolution_dtype(flags: EngineFlags, given: GivenFlag) -> EngineFlags:
    return replace(flags, convolution_dtype=given.values[0])


def _encoder_mode(flags: EngineFlags, given: GivenFlag) -> EngineFlags:
    return replace(flags, whole_encoder=given.values[0] == "data")


def _processor_cache(flags: EngineFlags, given: GivenFlag) -> EngineFlags:
    return replace(flags, processor_cache_gib=size_of(given))


def _attention_backend(flags: EngineFlags, given: GivenFlag) -> EngineFlags:
    of_config = given.flag.name == "--attention-config"
    name = backend_name(json_object(given).get("backend") if of_config else given.values[0])
    if name and flags.attention_backend:
        raise ValueError("--attention-backend and backend of --attention-config are both given: remove one")
    return replace(flags, attention_backend=name or flags.attention_backend)


def _cpu_loras(flags: EngineFlags, given: GivenFlag) -> EngineFlags:
    return flags if given.values[0] in ("", "None") else replace(flags, max_cpu_loras=whole_number(given))


def _ipc_memory(flags: EngineFlags, given: GivenFlag) -> EngineFlags:
    return replace(flags, ipc_gpu_memory_gib=size_of(given))


Handler = Callable[[EngineFlags, GivenFlag], EngineFlags]

COUNTED: Mapping[str, Handler] = {
    "--async-scheduling": _async_scheduling,
    "--dtype": _dtype,
    "--cpu-offload-gb": _cpu_offload,
    "--offload-group-size": _offload_group,
    "--offload-num-in-group": _offload_of_group,
    "--offload-prefetch-step": _offload_fetched,
    "--kv-offloading-size": _kv_offloading,
    "--kv-transfer-config": _connector,
    "--language-model-only": _language_model_only,
    "--block-size": _block_size,
    "--kv-cache-memory-bytes": _kv_cache_bytes,
    "--num-gpu-blocks-override": _gpu_blocks,
    "--compilation-config": compilation,
    "--cudagraph-capture-sizes": capture_sizes,
    "--max-cudagraph-capture-size": largest_capture,
    "--optimization-level": optimization_level,
    "--performance-mode": performance_mode,
    "--mamba-ssm-cache-dtype": _state_dtype,
    "--mamba-cache-dtype": _convolution_dtype,
    "--attention-backend": _attention_backend,
    "--attention-config": _attention_backend,
    "--max-cpu-loras": _cpu_loras,
    "--mm-encoder-tp-mode": _encoder_mode,
    "--mm-processor-cache-gb": _processor_cache,
    "--mm-ipc-gpu-memory-gb": _ipc_memory,
}
"""How each counted flag changes the plan. --speculative-config and its short forms are read together."""
