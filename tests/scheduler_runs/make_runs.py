"""Drives the scheduler of a vLLM version with drawn requests, and prints the tokens of each step.

Each step takes one second. Run in an environment with that version, with the config.json of any small text model:

    PYTHONPATH=. python tests/scheduler_runs/make_runs.py MODEL_FOLDER > tests/data/scheduler_runs/0.27.0.json
"""

import importlib
import json
import sys
from collections import deque
from itertools import groupby
from random import Random
from typing import Any

config = importlib.import_module("vllm.config")
kv_cache = importlib.import_module("vllm.v1.kv_cache_interface")
kv_cache_utils = importlib.import_module("vllm.v1.core.kv_cache_utils")
schedulers = {
    1: importlib.import_module("vllm.v1.core.sched.scheduler").Scheduler,
    2: importlib.import_module("vllm.v1.core.sched.async_scheduler").AsyncScheduler,
}
"""vLLM's schedulers by the number of steps that are scheduled ahead of their results."""

BLOCK_TOKENS = 16
MODEL_TOKENS = 4096
CASES = 60


def draw_case(seed: int) -> dict[str, Any]:
    """Return the sizes of an engine and its requests."""
    random = Random(seed)
    prefix = random.choice((0, 0, 40, 200))
    blocks = random.choice((30, 60, 120, 1000))
    requests: list[list[float]] = []
    now = 0.0
    for _ in range(random.randint(8, 30)):
        now += random.choice((0, 1, 3, 10)) * random.random()
        requests.append([round(now, 3), prefix + random.randint(1, 200), random.randint(1, 60)])
    return {
        "max_num_seqs": random.choice((2, 8, 64)),
        "max_num_batched_tokens": random.choice((64, 128, 2048)),
        "blocks": blocks,
        "prefix_caching": random.random() < 0.7,
        "steps_in_flight": 1 + seed % 2,
        "shared_prefix_tokens": prefix,
        "requests": [one for one in requests if (one[1] + one[2]) / BLOCK_TOKENS < blocks - 2],
    }


def scheduler_of(case: dict[str, Any], model: str) -> Any:
    """Return vLLM's scheduler with these sizes."""
    sizes = config.SchedulerConfig(
        max_num_seqs=case["max_num_seqs"],
        max_num_batched_tokens=case["max_num_batched_tokens"],
        max_model_len=MODEL_TOKENS,
        enable_chunked_prefill=True,
        is_encoder_decoder=False,
        async_scheduling=case["steps_in_flight"] == 2,
    )
    cache = config.CacheConfig(block_size=BLOCK_TOKENS, enable_prefix_caching=case["prefix_caching"])
    whole = config.VllmConfig(
        model_config=config.ModelConfig(model=model, max_model_len=MODEL_TOKENS, skip_tokenizer_init=True),
        scheduler_config=sizes,
        cache_config=cache,
        device_config=config.DeviceConfig("cpu"),
    )
    # One block is vLLM's null block.
    blocks = case["blocks"] + 1
    numbers = importlib.import_module("torch").float32
    spec = kv_cache.FullAttentionSpec(block_size=BLOCK_TOKENS, num_kv_heads=1, head_size=1, dtype=numbers)
    whole.cache_config.num_gpu_blocks = blocks
    return schedulers[case["steps_in_flight"]](
        vllm_config=whole,
        kv_cache_config=kv_cache.KVCacheConfig(
            num_blocks=blocks, kv_cache_tensors=[], kv_cache_groups=[kv_cache.KVCacheGroupSpec(["layer"], spec)]
        ),
        block_size=BLOCK_TOKENS,
        structured_output_manager=importlib.import_module("vllm.v1.structured_output").StructuredOutputManager(whole),
    )


def requests_of(case: dict[str, Any]) -> deque[tuple[float, Any]]:
    """Return vLLM's requests. Only the shared prefix is the same in two of them."""
    hashed = importlib.import_module("vllm.utils.hashing").get_hash_fn_by_name("sha256")
    kv_cache_utils.init_none_hash(hashed)
    prefix = list(range(case["shared_prefix_tokens"]))
    requests: deque[tuple[float, Any]] = deque()
    for number, (arrival, read, written) in enumerate(case["requests"]):
        own = [1000 + number] * (read - len(prefix))
        parameters = importlib.import_module("vllm.sampling_params").SamplingParams(ignore_eos=True, max_tokens=written)
        parameters.update_from_generation_config({}, 0)
        request = importlib.import_module("vllm.v1.request").Request(
            request_id=str(number),
            prompt_token_ids=prefix + own,
            sampling_params=parameters,
            pooling_params=None,
            arrival_time=arrival,
            block_hasher=kv_cache_utils.get_request_block_hasher(BLOCK_TOKENS, hashed),
        )
        requests.append((arrival, request))
    return requests


def run(case: dict[str, Any], model: str) -> list[list[Any]]:
    """Return [steps, [[number, tokens] of each request in the scheduler's order]] for equal steps in a row."""
    scheduler, requests = scheduler_of(case, model), requests_of(case)
    now = end = 0.0
    in_flight: deque[tuple[float, Any, list[str]]] = deque()
    steps: list[list[list[int]]] = []
    while requests or scheduler.has_unfinished_requests():
        while len(in_flight) >= case["steps_in_flight"]:
            now = settle(scheduler, in_flight)
        while requests and requests[0][0] <= now:
            scheduler.add_request(requests.popleft()[1])
        output = scheduler.schedule()
        if output.total_num_scheduled_tokens:
            steps.append([[int(name), tokens] for name, tokens in output.num_scheduled_tokens.items()])
            end = max(now, end) + 1
            # A part of a prompt gives no token.
            decoding = [name for name in output.num_scheduled_tokens if not scheduler.requests[name].is_prefill_chunk]
            in_flight.append((end, output, decoding))
        elif in_flight:
            now = settle(scheduler, in_flight)
        elif requests:
            now = max(now, requests[0][0])
    return [[len(list(same)), step] for step, same in groupby(steps)]


def settle(scheduler: Any, in_flight: deque[tuple[float, Any, list[str]]]) -> float:
    """Give the scheduler the tokens of the oldest step, and return when it ended."""
    end, output, decoding = in_flight.popleft()
    names = list(output.num_scheduled_tokens)
    result = importlib.import_module("vllm.v1.outputs").ModelRunnerOutput(
        req_ids=names,
        req_id_to_index={name: index for index, name in enumerate(names)},
        sampled_token_ids=[[5] if name in decoding else [] for name in names],
    )
    scheduler.update_from_output(output, result)
    return end


def main() -> None:
    """Print the runs of all cases."""
    cases = []
    for seed in range(CASES):
        case = draw_case(seed)
        case["steps"] = run(case, sys.argv[1])
        cases.append(case)
        print(seed, len(case["steps"]), file=sys.stderr)
    json.dump({"vllm": importlib.import_module("vllm").__version__, "cases": cases}, sys.stdout, separators=(",", ":"))


if __name__ == "__main__":
    main()
