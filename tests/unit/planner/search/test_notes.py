"""What a plan that fits tells beside its numbers."""

import json
from pathlib import Path

import pytest

from tests.support.plans import LLAMA_8B, LLAMA_70B, QWEN_235B, SCOUT, planned
from vllm_eks.planner.engine.options import ServingOptions
from vllm_eks.planner.hardware.instances import find_instance
from vllm_eks.planner.models.config_json import parse_config
from vllm_eks.planner.models.known_models import ModelFacts
from vllm_eks.planner.search.model_folder import read_model_folder
from vllm_eks.planner.search.plan_model import plan

COMPUTED = "weight bytes are computed from the config, not read from the files"


@pytest.mark.parametrize(
    ("model", "instance", "requested", "note"),
    [
        (
            QWEN_235B,
            "g5.48xlarge",
            {},
            "4 KV heads are replicated over TP=8: more GPUs than KV heads save weights, not KV cache",
        ),
        (
            "deepseek-ai/DeepSeek-V2-Lite",
            "p5.48xlarge",
            {},
            "latent attention keeps the whole KV cache on each of 8 ranks: TP divides only the weights",
        ),
        (
            LLAMA_70B,
            "g5.48xlarge",
            {"max_model_len": 49152, "vllm_version": "0.21.0"},
            "lowered to fit 1 x g5.48xlarge ($16.29/h): --max-num-seqs 64 (default 256); with the defaults the model "
            "only "
            "likely fits",
        ),
        (
            LLAMA_70B,
            "g5.48xlarge",
            {"max_model_len": 65536, "vllm_version": "0.21.0"},
            "lowered to fit 1 x g5.48xlarge ($16.29/h): --max-num-seqs 32 (default 256), --max-num-batched-tokens 512 "
            "(default 2048); with the defaults the model needs 2 x g5.48xlarge ($32.58/h)",
        ),
        (
            "Qwen/Qwen3.5-397B-A17B",
            "g6e.48xlarge",
            {},
            "pipeline parallelism with linear attention is experimental: vLLM has had runtime errors (#36861)",
        ),
        (LLAMA_8B, "g4dn.12xlarge", {}, "the T4 does not support bfloat16: vLLM casts the model to float16"),
        (
            LLAMA_8B,
            "g5.xlarge",
            {"vllm_version": "0.9.2", "max_num_seqs": 64},
            "vLLM 0.8 and 0.9 use the memory rules of 0.10: an estimate",
        ),
        (
            SCOUT,
            "g6e.48xlarge",
            {"vllm_version": "0.12.0"},
            "vLLM before 0.13 keeps the whole KV cache of chunked layers",
        ),
        (LLAMA_8B, "g5.xlarge", {}, COMPUTED),
    ],
)
def test_a_plan_has_the_notes_that_its_reader_needs(
    model: str, instance: str, requested: dict[str, object], note: str
) -> None:
    found = planned(model, instance, **requested)
    assert found.fits
    assert note in found.notes


def test_a_checkpoint_that_sets_the_kv_cache_type_gets_a_note(tmp_path: Path) -> None:
    config = json.loads((Path(__file__).parents[3] / "data" / "qwen3-0.6b-config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config))
    section = {"producer": {"name": "modelopt"}, "quantization": {"quant_algo": "FP8", "kv_cache_quant_algo": "FP8"}}
    (tmp_path / "hf_quant_config.json").write_text(json.dumps(section))
    found = plan(read_model_folder(tmp_path), find_instance("g6.xlarge"), ServingOptions())
    assert "the checkpoint sets the type of the KV cache: fp8_e4m3" in found.notes
    asked = plan(read_model_folder(tmp_path), find_instance("g6.xlarge"), ServingOptions(kv_cache_dtype="bfloat16"))
    assert not [note for note in asked.notes if "decides" in note]
    assert found.kv_cache_tokens > 1.9 * asked.kv_cache_tokens


def test_more_replicas_of_a_smaller_tp_are_suggested_with_their_throughput() -> None:
    found = planned("Qwen/Qwen3-30B-A3B", "g6e.48xlarge")
    assert found.throughput is not None
    two = planned("Qwen/Qwen3-30B-A3B", "g6e.48xlarge", tensor_parallel_size=2, replicas=4)
    assert two.throughput is not None
    assert (
        "TP=2 with 4 replicas on the same node could serve more: "
        f"about {4 * two.throughput.tokens_per_second.best:,.0f} tokens/s instead of "
        f"{found.throughput.tokens_per_second.best:,.0f}, "
        f"{4 * two.kv_cache_tokens:,} KV tokens instead of "
        f"{found.kv_cache_tokens:,}"
    ) in found.notes
    small = "deepseek-ai/DeepSeek-V2-Lite"
    for requested in ({"tensor_parallel_size": 4, "replicas": 2}, {"pipeline_parallel_size": 2}):
        asked = planned(small, "p5.48xlarge", **requested)
        assert not [note for note in asked.notes if "could serve more" in note], "the sizes were asked for"


def facts(**changes: object) -> ModelFacts:
    config = {
        "architectures": ["NovelForCausalLM"],
        "hidden_size": 4096,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "intermediate_size": 14336,
        "vocab_size": 128256,
        "max_position_embeddings": 8192,
    }
    known = {"weights_source": "computed", "known_weights_bytes": None, **changes}
    return ModelFacts(
        id="novel",
        revision=None,
        gated=False,
        architecture=parse_config(config, where="novel"),
        **known,
    )


def test_an_estimated_architecture_is_called_an_estimate_and_has_a_wide_range() -> None:
    estimated = plan(facts(), find_instance("g5.48xlarge"), ServingOptions())
    known = planned(LLAMA_8B)
    assert "NovelForCausalLM is read from the fields of its config.json: every number is an estimate" in estimated.notes
    split = plan(facts(), find_instance("g5.48xlarge"), ServingOptions(pipeline_parallel_size=2))
    assert "pipeline support for NovelForCausalLM is unknown: check its vLLM class for SupportsPP" in split.notes
    widths = [high - low for low, high in (estimated.kv_cache_tokens_range, known.kv_cache_tokens_range)]
    assert widths[0] > widths[1]


def test_an_index_that_does_not_match_the_config_gets_a_note() -> None:
    doubtful = facts(weights_source="index", known_weights_bytes=20 * 10**9)
    found = plan(doubtful, find_instance("g5.48xlarge"), ServingOptions())
    assert any(note.startswith("the index lists 1.2") for note in found.notes)
    assert COMPUTED not in found.notes
