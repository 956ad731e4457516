"""Drawn questions: cut configs, the same questions for the same seed, and the way back from the oracle's answers."""

import json
from pathlib import Path
from typing import Any

from tests.accuracy.draw import cut_config, draw, whole_config
from tests.accuracy.oracle import Answer, questions
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


def test_a_config_gets_the_fields_that_vllm_reads_and_lock_files_omit() -> None:
    assert whole_config({"architectures": ["MixtralForCausalLM"]})["model_type"] == "mixtral"
    text = whole_config({"architectures": ["Qwen3VLForConditionalGeneration"], "text_config": {}})["text_config"]
    assert text["rope_scaling"]["mrope_section"] == [24, 20, 20]


def test_a_seed_draws_the_same_questions_of_every_model(tmp_path: Path) -> None:
    jobs = [draw(7, 90, models=tmp_path / name) for name in ("a", "b")]
    assert [{**job, "model": ""} for job in jobs[0]] == [{**job, "model": ""} for job in jobs[1]]
    assert len({job["name"] for job in jobs[0]}) > 70
    assert all(job["max_num_seqs"] <= job["max_num_batched_tokens"] for job in jobs[0])
    config = json.loads((Path(jobs[0][0]["model"]) / "config.json").read_text())
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
    assert one.question.unmapped == "the class reads values of tensors, and the oracle's have none"
