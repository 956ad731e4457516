"""Draw questions for vLLM's own classes, to be asked with the lab's oracle: `make draw-questions`.

Every locked model, GPU and layout comes up equally often, and the options at random; one question in five is about
another architecture. Models are cut to a few layers, so that vLLM builds them in seconds: what is true of each layer
stays true, and so do the embedding and the tower.
"""

import argparse
import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.accuracy.drawn_models import locked_models, other_models
from tests.accuracy.question import GPU_MEMORY_GIB
from tests.accuracy.whole_configs import cut_config, whole_config, write_model
from vllm_eks.planner.models.architecture import Architecture
from vllm_eks.planner.models.mixers import Beside, GroupedQuery, Latent
from vllm_eks.planner.models.stage_layers import stage_layers

LEAST_LAYERS = 4
"""Layers of a stage of a cut model. A stage of a hybrid has as many as it needs to have attention, as it really has."""
WITH_TOKENS = (GroupedQuery, Latent, Beside)
"""Mixers that keep something of each token."""
FURTHER_LAYERS = (0, 1, 2, 3, 5)
LAYOUTS = ((1, 1), (2, 1), (4, 1), (8, 1), (1, 2), (2, 3), (4, 2), (8, 2), (2, 4), (16, 1), (3, 1), (6, 1))
"""TP and PP. The last ones are refused for most models."""
OPTIONS: Mapping[str, tuple[Any, ...]] = {
    "pool_gib": (2.0, 8.0, 8.0, 8.0, 31.5),
    "max_model_len": (700, 2048, 8192, 20000, 32768, 131072, 1_000_000),
    "kv_cache_dtype": ("auto", "auto", "auto", "auto", "fp8", "fp8_e4m3", "fp8_e5m2", "bfloat16", "float16"),
    "max_num_seqs": (1, 16, 64, 256, 256, 1024),
    "max_num_batched_tokens": (256, 512, 2048, 8192, 16384),
    "enforce_eager": (False, False, True),
}
ENGINE_ARGS: Mapping[str, tuple[Any, ...]] = {
    "dtype": ("float16", "bfloat16", "float32"),
    "block_size": (16, 32, 48, 64, 128, 256),
    "enable_prefix_caching": (True, False),
    "mamba_cache_dtype": ("float32", "float16", "bfloat16"),
    "mamba_ssm_cache_dtype": ("float32", "float16", "bfloat16"),
    "language_model_only": (True,),
    "limit_mm_per_prompt": ({"image": 0, "video": 0}, {"image": 2}, {"image": 0}, {"video": 0}),
    "mm_encoder_tp_mode": ("data", "weights"),
    "num_gpu_blocks_override": (100, 5000),
    "speculative_config": (
        {"method": "ngram", "num_speculative_tokens": 3, "prompt_lookup_max": 4},
        {"method": "ngram", "num_speculative_tokens": 7, "prompt_lookup_max": 4},
    ),
    "decode_context_parallel_size": (2, 4),
    "enable_lora": (True,),
    "max_lora_rank": (16, 64),
    "async_scheduling": (True, False),
    "attention_backend": ("FLASH_ATTN", "FLASHINFER", "TRITON_ATTN"),
    "enable_chunked_prefill": (True, False),
}
"""Arguments of EngineArgs that the planner counts or accepts."""
OTHERS_EVERY = 5
"""One question of so many is about an architecture that has no locked model."""
NUMBER_OF_ARGS = (0, 0, 0, 1, 1, 2, 3)


def draw_job(chance: random.Random) -> dict[str, Any]:
    """Return a job for the lab's oracle, without its model."""
    tp, pp = chance.choice(LAYOUTS)
    job = {key: chance.choice(values) for key, values in OPTIONS.items()}
    if chance.random() < 0.95:  # vLLM refuses the others
        job["max_num_seqs"] = min(job["max_num_seqs"], job["max_num_batched_tokens"])
    names = chance.sample(list(ENGINE_ARGS), chance.choice(NUMBER_OF_ARGS))
    # Half of the questions are about the GPUs that most people have.
    gpu = chance.choice(list(GPU_MEMORY_GIB) if chance.random() < 0.5 else ["A10G", "H100"])
    arguments = {one: chance.choice(ENGINE_ARGS[one]) for one in names}
    return {"gpu": gpu, "tp": tp, "pp": pp, **job, "engine_args": arguments}


def few_layers(model: Architecture, pp: int, further: int) -> int:
    """Return a small number of layers with which each stage of a cut model has attention."""
    return next(
        (
            layers
            for layers in range(LEAST_LAYERS * pp + further, model.num_hidden_layers)
            if all(_has_attention(model, stage) for stage in _stages(layers, pp))
        ),
        model.num_hidden_layers,
    )


def _stages(layers: int, pp: int) -> list[range]:
    counts = stage_layers(layers, pp)
    return [range(sum(counts[:stage]), sum(counts[: stage + 1])) for stage in range(pp)]


def _has_attention(model: Architecture, stage: range) -> bool:
    return not model.has_states or any(isinstance(model.attention[index], WITH_TOKENS) for index in stage)


def draw(seed: int, count: int, *, models: Path) -> list[dict[str, Any]]:
    """Return jobs for the lab's oracle, and write the files of each model below `models`."""
    chance = random.Random(seed)
    locked, others = (chance.sample(one, len(one)) for one in (locked_models(), other_models()))
    jobs: list[dict[str, Any]] = []
    for number in range(count):
        turn, is_other = divmod(number, OTHERS_EVERY)
        model = others[turn % len(others)] if is_other == 0 else locked[(number - turn) % len(locked)]
        job = draw_job(chance)
        folder = models / str(number)
        layers = few_layers(model.architecture, job["pp"], chance.choice(FURTHER_LAYERS))
        whole = whole_config(model.config)
        write_model(folder, cut_config(whole, layers) if model.is_cut else whole)
        job["expert_parallel"] = chance.random() < (0.25 if model.architecture.experts else 0.02)
        jobs.append({"name": model.name, "model": str(folder.resolve()), **job})
    return jobs


def main() -> None:
    """Write the jobs and their models into a new folder, and print what to do with them."""
    parser = argparse.ArgumentParser(description="Draw questions for the oracle of vLLM's own classes.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=100)
    asked = parser.parse_args()
    jobs = draw(asked.seed, asked.count, models=asked.folder / "models")
    (asked.folder / "jobs.json").write_text(json.dumps(jobs, indent=1) + "\n")
    oracle = f"oracle/oracle.py --version VERSION --jobs {asked.folder}/jobs.json --out {asked.folder}/answers.json"
    print(f"{len(jobs)} questions; now run in the lab: {oracle}\nthen: make oracle TABLE={asked.folder}/answers.json")


if __name__ == "__main__":
    main()
