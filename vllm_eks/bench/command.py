"""The command of the client's container: our script, and the options of `vllm bench serve`."""

import json
from collections.abc import Sequence
from pathlib import Path

from vllm_eks.bench import pod_script
from vllm_eks.bench.load import SPREAD, Load
from vllm_eks.bench.target import Target
from vllm_eks.planner.load.numbers import digits

KEY_FILE = "/secrets/api-key/apiKey"
RESULT_FOLDER = "/tmp"
PERCENTILES = (50, 90, 99)
METRICS = ("ttft", "tpot", "itl", "e2el")
WARM_UPS = 2
READY_SECONDS = 120
"""How long the client waits for the endpoint's first answer. Without it, vLLM 0.21 to 0.32 do not wait."""


def pod_command() -> list[str]:
    """Return the entrypoint: the image's Python, with our script as text."""
    return ["python3", "-u", "-c", Path(pod_script.__file__).read_text()]


def pod_arguments(target: Target, load: Load) -> list[str]:
    """Return the script's arguments."""
    tokenizer = target.tokenizer
    revision = ["--revision", tokenizer.revision] if tokenizer.revision and not tokenizer.is_in_s3 else []
    own = ["--tokenizer", tokenizer.place, *revision, "--api-key-file", KEY_FILE, "--folder", RESULT_FOLDER]
    return [*own, "--", *bench_options(target.service_url, target.name, load, tokenizer_flags=tokenizer.flags)]


def bench_options(url: str, served_name: str, load: Load, *, tokenizer_flags: Sequence[str] = ()) -> list[str]:
    """Return the options of `vllm bench serve`, all of which 0.21.0, 0.27.0 and 0.32.0 have.

    Args:
        url: The server, without a path.
        served_name: The model's name in requests.
        load: What is sent.
        tokenizer_flags: Flags that the tokenizer needs.
    """
    return [
        *("--backend", "openai", "--base-url", url, "--endpoint", "/v1/completions"),
        *("--model", served_name, "--served-model-name", served_name, *tokenizer_flags),
        *("--dataset-name", "random", "--num-prompts", str(load.requests), "--seed", str(load.seed)),
        # The prefix comes on top of the input's own length.
        *("--random-input-len", str(load.input_tokens - load.shared_prefix_tokens)),
        *("--random-prefix-len", str(load.shared_prefix_tokens)),
        *("--random-output-len", str(load.output_tokens), "--random-range-ratio", _spread(load)),
        *_arrivals(load),
        # Answers of the planned length, and always the same.
        *("--ignore-eos", "--temperature", "0"),
        *("--num-warmups", str(WARM_UPS), "--ready-check-timeout-sec", str(READY_SECONDS), "--disable-tqdm"),
        *("--percentile-metrics", ",".join(METRICS), "--metric-percentiles", ",".join(map(str, PERCENTILES))),
    ]


def _spread(load: Load) -> str:
    return json.dumps({"input": SPREAD * load.input_varies, "output": SPREAD * load.output_varies})


def _arrivals(load: Load) -> list[str]:
    """Return how requests arrive: at a Poisson rate, or as soon as one of the users has the last answer."""
    if load.concurrent_users is not None:
        return ["--request-rate", "inf", "--max-concurrency", str(load.concurrent_users)]
    return ["--request-rate", digits(load.requests_per_second or 0.0), "--burstiness", "1"]
