"""Reads the stage of a vLLM start, and the measured memory, from vLLM's log. Pure; standard library only.

The lines are the same in 0.21 and 0.32 (tests/data/vllm_failures/*/stopped.log). Lines about GPUs are from the source.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

PERCENT = r"(?P<percent>\d+)%"
WAITS_FOR_GROUP, ENGINE_STARTS, SERVING = "group", "engine", "serving"
PHASES = (WAITS_FOR_GROUP, ENGINE_STARTS, "download", "load", "compile", "memory", "graphs", "server", SERVING)
"""Phases of a start, in order: label values of the metric vllm_eks_startup_phase."""
STAGES = (
    (r"Initializing a V\d LLM engine", "the engine starts", ENGINE_STARTS),
    (
        r"world_size=(?!1 )\d+ rank=|vllm-eks: waiting for (?:worker|the leader)",
        "waits for the other pods of its group",
        ENGINE_STARTS,
    ),
    (r"Starting to load model", "looks for the model's files", "download"),
    (rf"(?:Downloading|Fetching \d+ files|\.safetensors):\s+{PERCENT}", "downloads weights", "download"),
    (
        rf"Loading \w+ checkpoint shards:\s+{PERCENT} Completed \| (?P<done>\d+)/(?P<all>\d+)",
        "loads weights",
        "load",
    ),
    (rf"Loading safetensors using \w[\w ]*:\s+{PERCENT}", "streams weights", "load"),
    (r"Loading weights took", "weights are loaded", "load"),
    (r"Model loading took", "weights are loaded", "load"),
    (
        r"Dynamo bytecode transform|Compiling a graph|torch\.compile takes|Warming up model|saved AOT compiled",
        "compiles",
        "compile",
    ),
    (r"Initial profiling/warmup run took|Available KV cache memory", "measures memory", "memory"),
    (r"KV cache size: [\d,]+ tokens", "allocates the KV cache", "memory"),
    (rf"Capturing CUDA graphs?[^:]*:\s+{PERCENT}", "captures CUDA graphs", "graphs"),
    (
        r"Graph capturing finished|init engine \(profile",
        "the engine is ready, the server starts",
        "server",
    ),
    (r"Application startup complete", "serves", SERVING),
)
"""Pattern of a log line, the stage in words, and its phase."""
_STAGES = [(re.compile(signs), said, phase) for signs, said, phase in STAGES]
WEIGHTS = re.compile(r"Model loading took (?P<gib>[\d.]+) ?Gi?B")
ROUNDING = 1.02
"""Tolerance over the plan, because torch's allocator takes whole blocks."""
KV_CACHE = re.compile(r"KV cache size: (?P<tokens>[\d,]+) tokens")


@dataclass(frozen=True, kw_only=True)
class Planned:
    """The planned memory of one GPU. None means unknown."""

    weights_gib_high: float | None = None
    """Upper bound of the weights on the GPU with the most weights."""
    kv_cache_tokens_low: int | None = None
    kv_cache_tokens_high: int | None = None


def stage_of(log: str) -> str:
    """Return the stage of a start, with a percentage if logged, or an empty string when the log shows none yet."""
    best, said = -1, ""
    for line in re.split(r"[\r\n]+", log):
        for at in range(len(_STAGES) - 1, max(best, 0) - 1, -1):
            found = _STAGES[at][0].search(line)
            if found:
                best, said = at, _STAGES[at][1] + _amount(found)
                break
    return said


def phase_of(log: str, before: str) -> str:
    """Return the latest phase of a start in the end of its log. `before` is the phase so far: none is left twice."""
    latest = PHASES.index(before)
    for pattern, _, phase in _STAGES:
        at = PHASES.index(phase)
        if at > latest and pattern.search(log):
            latest = at
    return PHASES[latest]


def _amount(found: re.Match[str]) -> str:
    parts = found.groupdict()
    if not parts.get("percent"):
        return ""
    files = f" ({parts['done']} of {parts['all']} files)" if parts.get("all") else ""
    return f", {parts['percent']} %{files}"


def measured_against(log: str, planned: Planned) -> list[str]:
    """Return a line for each measured memory in a log, compared with the plan. Values out of range are warnings."""
    lines: list[str] = []
    weights = [float(found["gib"]) for found in WEIGHTS.finditer(log)]
    if weights:
        lines.append(_weights_line(max(weights), planned.weights_gib_high))
    tokens = [int(found["tokens"].replace(",", "")) for found in KV_CACHE.finditer(log)]
    if tokens:
        lines.append(_tokens_line(min(tokens), planned.kv_cache_tokens_low, planned.kv_cache_tokens_high))
    return lines


def _weights_line(gib: float, high: float | None) -> str:
    said = f"the weights take {gib:.2f} GiB per GPU"
    if high is None:
        return said
    if gib <= high * ROUNDING:
        return f"{said}, planned up to {high:.2f}"
    return f"WARNING: {said}, more than the planned {high:.2f}: the KV cache is smaller by the difference"


def _tokens_line(tokens: int, low: int | None, high: int | None) -> str:
    said = f"the KV cache holds {tokens:,} tokens"
    if low is None or high is None:
        return said
    if low <= tokens <= high:
        return f"{said}, planned {low:,} to {high:,}"
    other = "fewer" if tokens < low else "more"
    return f"WARNING: {said}, {other} than the planned {low:,} to {high:,}"
