"""Reads the flags that decide which CUDA graphs vLLM captures."""

from dataclasses import replace

from vllm_eks.json_values import is_list
from vllm_eks.planner.engine.engine_flags import EngineFlags
from vllm_eks.planner.engine.flag_reading import GivenFlag
from vllm_eks.planner.engine.given_values import json_object, whole_number

GRAPH_MODES = ("NONE", "PIECEWISE", "FULL", "FULL_DECODE_ONLY", "FULL_AND_PIECEWISE")
LEVEL_MODES = {"0": "NONE", "1": "PIECEWISE"}
"""--optimization-level -> CUDA graph mode, where it is not the default (config/vllm.py, OPTIMIZATION_LEVEL_00, _01)."""


def compilation(flags: EngineFlags, given: GivenFlag) -> EngineFlags:
    """Read the graphs of --compilation-config."""
    config, graphs = json_object(given), flags.graphs
    mode = config.get("cudagraph_mode")
    if mode is not None:
        graphs = replace(graphs, mode=_graph_mode(mode))
    if config.get("cudagraph_capture_sizes") is not None:
        graphs = replace(graphs, sizes=_sizes(config["cudagraph_capture_sizes"]))
    if config.get("max_cudagraph_capture_size") is not None:
        graphs = replace(graphs, largest=_sizes([config["max_cudagraph_capture_size"]])[0])
    return replace(flags, graphs=graphs)


def _graph_mode(mode: object) -> str:
    name = str(mode).upper()
    if name not in GRAPH_MODES:
        raise ValueError(f"cudagraph_mode {mode!r} is not one of {', '.join(GRAPH_MODES)}")
    return name


def _sizes(values: object) -> tuple[int, ...]:
    given = values if is_list(values) else [values]
    sizes = [value for value in given if isinstance(value, int) and not isinstance(value, bool) and value > 0]
    if not sizes or len(sizes) != len(given):
        raise ValueError(f"{values!r} are not sizes of CUDA graphs: write whole numbers above 0")
    return tuple(sorted(set(sizes)))


def capture_sizes(flags: EngineFlags, given: GivenFlag) -> EngineFlags:
    """Read --cudagraph-capture-sizes."""
    return replace(flags, graphs=replace(flags.graphs, sizes=_sizes([int(value) for value in given.values])))


def largest_capture(flags: EngineFlags, given: GivenFlag) -> EngineFlags:
    """Read --max-cudagraph-capture-size."""
    return replace(flags, graphs=replace(flags.graphs, largest=whole_number(given)))


def optimization_level(flags: EngineFlags, given: GivenFlag) -> EngineFlags:
    """Read -O and --optimization-level."""
    # cudagraph_mode of --compilation-config comes before the level's default.
    mode = flags.graphs.mode or LEVEL_MODES.get(given.values[0].removeprefix("O"))
    return replace(flags, graphs=replace(flags.graphs, mode=mode))


def performance_mode(flags: EngineFlags, given: GivenFlag) -> EngineFlags:
    """Read --performance-mode."""
    return replace(flags, graphs=replace(flags.graphs, fine=given.values[0] == "interactivity"))
