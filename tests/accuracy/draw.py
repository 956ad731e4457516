"""Draw questions for vLLM's own classes, to be asked with the lab's oracle: `make draw-questions`.

Every locked model, GPU and layout comes up equally often, and the options at random. Models are cut to a few layers,
so that vLLM builds them in seconds: what is true of each layer stays true, and so do the embedding and the tower.
"""

import argparse
import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.accuracy.oracle import GPUS
from vllm_eks.json_values import is_list, is_object
from vllm_eks.planner.models.known_models import find_model, locked_model_ids

LEAST_LAYERS = 4
"""Layers of a stage of a cut model. Hybrids have a layer with attention in so many, as their stages really do."""
FURTHER_LAYERS = (0, 1, 2, 3, 5)
MODEL_TYPES = {
    "LlamaForCausalLM": "llama",
    "MixtralForCausalLM": "mixtral",
    "Qwen3ForCausalLM": "qwen3",
    "Qwen3MoeForCausalLM": "qwen3_moe",
}
"""What config.json says where a lock file lacks it."""
ROPE = {
    "Qwen3VL": {"rope_type": "default", "mrope_section": [24, 20, 20], "mrope_interleaved": True},
    "Qwen3_5": {"rope_type": "default", "mrope_section": [11, 11, 10], "mrope_interleaved": True},
}
"""rope_scaling of config.json, by the start of the architecture's name, where a lock file lacks it."""
LAYOUTS = ((1, 1), (2, 1), (4, 1), (8, 1), (1, 2), (2, 3), (4, 2), (8, 2), (3, 1))
"""TP and PP. The last is refused for most models."""
OPTIONS: Mapping[str, tuple[Any, ...]] = {
    "max_model_len": (2048, 8192, 32768, 131072),
    "kv_cache_dtype": ("auto", "auto", "auto", "fp8", "fp8_e5m2", "bfloat16"),
    "max_num_seqs": (1, 64, 256, 256),
    "max_num_batched_tokens": (512, 2048, 8192),
    "enforce_eager": (False, False, True),
}
ENGINE_ARGS: Mapping[str, tuple[Any, ...]] = {
    "dtype": ("float16", "bfloat16", "float32"),
    "block_size": (16, 32, 64, 128),
    "enable_prefix_caching": (True, False),
    "mamba_ssm_cache_dtype": ("float32", "float16"),
    "language_model_only": (True,),
    "limit_mm_per_prompt": ({"image": 0, "video": 0}, {"image": 2}),
}
"""Arguments of EngineArgs that the planner counts. One in three questions has one."""


def cut_config(config: Mapping[str, Any], layers: int) -> dict[str, Any]:
    """Return a config.json with fewer decoder layers. Lists with an entry for each layer are cut with them."""
    text = config.get("text_config")
    if is_object(text) and "num_hidden_layers" in text:
        return {**config, "text_config": cut_config(text, layers)}
    whole = config["num_hidden_layers"]
    cut: dict[str, Any] = {
        key: value[:layers] if is_list(value) and len(value) == whole else value for key, value in config.items()
    }
    if "hybrid_override_pattern" in config:  # a letter for each layer
        cut["hybrid_override_pattern"] = config["hybrid_override_pattern"][:layers]
    for key in ("moe_layers", "mlp_only_layers", "no_rope_layers"):  # numbers of layers
        if key in cut and len(config[key]) != whole:
            cut[key] = [number for number in cut[key] if number < layers]
    return {**cut, "num_hidden_layers": min(layers, whole)}


def whole_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a locked config with the fields that vLLM reads but that determine no size."""
    name = config["architectures"][0]
    kind = MODEL_TYPES.get(name)
    whole = {**({"model_type": kind} if kind else {}), **config}
    text = whole.get("text_config")
    rope = next((one for start, one in ROPE.items() if name.startswith(start)), None)
    if rope and is_object(text):
        whole["text_config"] = {"rope_scaling": {"rope_theta": 5_000_000, **rope}, "norm_topk_prob": True, **text}
    if "n_routed_experts" in config:
        whole = {"n_group": 1, "topk_group": 1, **whole}
    return whole


def draw(seed: int, count: int, *, models: Path) -> list[dict[str, Any]]:
    """Return jobs for the lab's oracle, and write the config.json of each below `models`."""
    chance = random.Random(seed)
    ids = chance.sample(locked_model_ids(), len(locked_model_ids()))
    gpus = [name for name, _ in GPUS.values()]
    jobs: list[dict[str, Any]] = []
    for number in range(count):
        facts = find_model(ids[number % len(ids)])
        folder = models / str(number)
        folder.mkdir(parents=True)
        tp, pp = chance.choice(LAYOUTS)
        config = cut_config(whole_config(facts.config), LEAST_LAYERS * pp + chance.choice(FURTHER_LAYERS))
        (folder / "config.json").write_text(json.dumps(config))
        job = {key: chance.choice(values) for key, values in OPTIONS.items()}
        job["max_num_seqs"] = min(job["max_num_seqs"], job["max_num_batched_tokens"])
        job["expert_parallel"] = chance.random() < (0.25 if facts.architecture.experts else 0.02)
        name = chance.choice(list(ENGINE_ARGS))
        job["engine_args"] = {name: chance.choice(ENGINE_ARGS[name])} if chance.random() < 1 / 3 else {}
        # Half of the questions are about the GPUs that most people have.
        gpu = chance.choice(gpus if chance.random() < 0.5 else ["A10G", "H100"])
        jobs.append({"name": facts.id, "model": str(folder.resolve()), "gpu": gpu, "tp": tp, "pp": pp, **job})
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
