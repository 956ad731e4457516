"""Drawn questions: cut configs, the same questions for the same seed, and the way back from the oracle's answers."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.accuracy.draw import draw, few_layers
from tests.accuracy.oracle import Answer, questions
from tests.accuracy.whole_configs import cut_config, whole_config, write_model
from vllm_eks.planner.models.known_models import find_model


def test_a_cut_config_has_fewer_entries_for_each_layer_too() -> None:
    scout = find_model("meta-llama/Llama-4-Scout-17B-16E-Instruct").config
    text = cut_config(scout, 6)["text_config"]
    assert text["num_hidden_layers"] == 6
    assert {len(value) for value in text.values() if isinstance(value, list)} <= {6}
    assert cut_config({"num_hidden_layers": 8, "moe_layers": [1, 3, 5], "mlp_only_layers": [0]}, 4) == {
        "num_hidden_layers": 4,
        "moe_layers": [1, 3],
        "mlp_only_layers": [0],
    }


def test_lists_inside_a_section_and_patterns_are_cut_too() -> None:
    layers = {"kda_layers": [1, 2, 3, 5], "full_attn_layers": [4]}
    cut = cut_config({"num_hidden_layers": 6, "linear_attn_config": layers, "hybrid_override_pattern": "M-M*EM"}, 4)
    assert cut["linear_attn_config"] == {"kda_layers": [1, 2, 3], "full_attn_layers": [4]}
    assert cut["hybrid_override_pattern"] == "M-M*"


def test_each_stage_of_a_cut_hybrid_has_attention() -> None:
    hybrid = find_model("nvidia/Nemotron-H-56B-Base-8K").architecture
    dense = find_model("meta-llama/Llama-3.1-8B-Instruct").architecture
    assert [few_layers(model, 2, 1) for model in (hybrid, dense)] == [19, 9]


def test_modelopt_s_quantization_is_a_file_of_its_own(tmp_path: Path) -> None:
    write_model(tmp_path / "model", find_model("nvidia/Qwen3-235B-A22B-NVFP4").config)
    assert json.loads((tmp_path / "model" / "hf_quant_config.json").read_text())["producer"]["name"] == "modelopt"
    assert "hf_quant_config" not in json.loads((tmp_path / "model" / "config.json").read_text())


def test_a_config_gets_the_fields_that_vllm_reads_and_lock_files_omit() -> None:
    assert whole_config({"architectures": ["MixtralForCausalLM"]})["model_type"] == "mixtral"
    text = whole_config({"architectures": ["Qwen3VLForConditionalGeneration"], "text_config": {}})["text_config"]
    assert text["rope_scaling"]["mrope_section"] == [24, 20, 20]


def test_a_seed_draws_the_same_questions_of_every_model(tmp_path: Path) -> None:
    jobs, first = draw(7, 90, models=tmp_path / "a"), draw(7, 20, models=tmp_path / "b")
    assert [{**job, "model": ""} for job in jobs[:20]] == [{**job, "model": ""} for job in first]
    assert len({job["name"] for job in jobs}) > 70
    assert all(job["max_num_seqs"] <= job["max_num_batched_tokens"] for job in jobs)
    locked = next(job for job in jobs if "/" in job["name"])
    config = json.loads((Path(locked["model"]) / "config.json").read_text())
    assert (config.get("text_config") or config)["num_hidden_layers"] < 20


def answered(folder: Path, answer: dict[str, Any], **options: Any) -> Answer:
    model = folder / "model"
    model.mkdir()
    config = cut_config(find_model("meta-llama/Llama-3.1-8B-Instruct").config, 4)
    (model / "config.json").write_text(json.dumps(config))
    job = {"max_model_len": 8192, "kv_cache_dtype": "auto", "max_num_seqs": 256, "max_num_batched_tokens": 2048}
    job |= {"name": "Llama", "model": str(model), "gpu": "A10G", "tp": 1, "pp": 1, "expert_parallel": False}
    (folder / "jobs.json").write_text(json.dumps([{**job, "enforce_eager": False, "engine_args": {}, **options}]))
    answers = folder / "answers.json"
    answers.write_text(json.dumps([{"number": 0, "tp": 1, "pp": 1, "vllm": "0.32.0", **answer}]))
    (question,) = questions(answers)
    return Answer(question, question.row["layouts"][0])


ROTARY_TABLE = 2 * 131072 * 128
WEIGHTS = 2 * (128256 * 4096 * 2 + 4 * 218_112_000 + 4096) + ROTARY_TABLE


def test_answers_are_scored_with_their_jobs(tmp_path: Path) -> None:
    kv = {"pool_gib": 8.0, "tokens": 524288, "bytes_per_token_by_stage": [16384.0]}
    one = answered(tmp_path, {"max_model_len": 8192, "stages": [{"bytes": WEIGHTS}], "kv": kv})
    assert (one.name, one.disagreements) == ("Llama#0 sm8.6 0.32.0", ())


def test_options_of_the_engine_reach_the_planner(tmp_path: Path) -> None:
    asked = answered(tmp_path, {"refused": "no"}, engine_args={"dtype": "float32", "block_size": 32}).options
    assert (asked.flags.dtype, asked.flags.block_tokens) == ("float32", 32)


def test_a_cache_that_vllm_refuses_is_a_refusal_unless_only_the_pool_is_too_small(tmp_path: Path) -> None:
    for number, (error, refused) in enumerate({"ValueError: no backend": True, "To serve at least one": False}.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        one = answered(folder, {"stages": [{"bytes": WEIGHTS}], "kv_error": error.replace("one", "one request")})
        assert (one.refused_by_vllm is not None) == refused


def test_a_question_at_which_only_the_oracle_fails_has_no_answer(tmp_path: Path) -> None:
    one = answered(tmp_path, {"refused": "RuntimeError: Tensor.item() cannot be called on meta tensors"})
    assert one.question.unmapped is None
    assert one.unanswered == "the class reads values of tensors, and the oracle's have none"
    assert one.disagreements == ()


def test_a_refusal_by_a_kernel_cannot_be_asked_and_another_one_can(tmp_path: Path) -> None:
    for number, (gpu, reason) in enumerate({"T4": "Triton does not compile fp8e4nv", "H100": None}.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        one = answered(folder, {"stages": [{"bytes": WEIGHTS}]}, gpu=gpu, kv_cache_dtype="fp8")
        assert (one.refusal is None) is (reason is None)
        assert (one.unanswered or "").startswith(reason or "")
        assert bool(one.unanswered) is bool(reason)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (
            {"mamba_block_size": 1024},
            "vllm-eks refuses --mamba-block-size: ",
        ),
        ({"model_impl": "transformers"}, "vllm-eks warns about --model-impl: "),
        ({"speculative_config": {"method": "mtp", "num_speculative_tokens": 1}}, "the oracle builds no drafter"),
        ({"cpu_offload_gb": 4.0}, "the oracle moves no weights to host memory"),
        ({"quantization": "fp8"}, "vllm-eks refuses --quantization: the plan is made from the checkpoint's own"),
        ({"num_gpu_blocks_override": 100, "enable_prefix_caching": False}, None),
    ],
)
def test_an_argument_that_the_plan_does_not_count_is_not_asked(
    tmp_path: Path, arguments: dict[str, Any], reason: str | None
) -> None:
    unmapped = answered(tmp_path, {"refused": "no"}, engine_args=arguments).question.unmapped
    assert (unmapped is None) is (reason is None)
    assert (unmapped or "").startswith(reason or "")


def test_a_whole_prompt_must_fit_in_a_batch_without_chunked_prefill(tmp_path: Path) -> None:
    arguments = {"enable_chunked_prefill": False}
    refused = answered(tmp_path, {"refused": "no"}, engine_args=arguments, max_model_len=8192)
    assert refused.refusal == "enableChunkedPrefill: false conflicts with maxNumBatchedTokens below maxModelLen"


def test_the_pool_of_a_question_and_the_override_of_its_blocks_count(tmp_path: Path) -> None:
    blocks = []
    for number, arguments in enumerate(({}, {"num_gpu_blocks_override": 100})):
        folder = tmp_path / str(number)
        folder.mkdir()
        small = answered(folder, {"kv_error": "To serve at least one request"}, pool_gib=2.0, engine_args=arguments)
        blocks.append(small.blocks)
    assert blocks == [2 * 2**30 // (16 * 16384), 100]
