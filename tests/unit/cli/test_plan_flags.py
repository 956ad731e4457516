"""Options of `vllm-eks plan` that are flags of `vllm serve`."""

import json

import pytest

from tests.support.plan_command import Ask

PLAN = ("Qwen/Qwen3.5-27B", "--instance-type", "g6e.12xlarge")


def test_flags_are_planned_and_passed_to_vllm(ask: Ask) -> None:
    config = '{"method": "mtp", "num_speculative_tokens": 2}'
    plain, drafting = (
        json.loads(ask(*PLAN, *more, "--json").stdout)
        for more in ((), ("--speculative-config", config, "--dtype=half", "--limit-mm-per-prompt", "image=1,video=0"))
    )
    assert drafting["kv_cache_tokens"] < plain["kv_cache_tokens"]
    args = drafting["vllm_args"]
    assert args[-2:] == ["--dtype=half", f"--speculative-config={config}"]
    assert args[args.index("--limit-mm-per-prompt") + 1] == '{"image": 1, "video": 0}'


def test_the_encoder_may_be_left_out_and_weights_may_stay_in_host_memory(ask: Ask) -> None:
    def weights(*more: str) -> float:
        return json.loads(ask(*PLAN, *more, "--json").stdout)["memory_per_gpu"]["weights_gib"]

    assert weights("--language-model-only") < weights()
    assert weights() - weights("--cpu-offload-gb", "2") == pytest.approx(2, abs=0.01)
    assert weights("--kv-offloading-size", "40") == weights()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--limit-mm-per-prompt", "two"),
            "--limit-mm-per-prompt: 'two' is not a JSON object: write for example '{\"image\": 2}'",
        ),
        (
            ("--limit-mm-per-prompt", '{"images": 2}'),
            "--limit-mm-per-prompt: 'images' is not a modality in vLLM: did you mean image?",
        ),
        (
            ("--limit-mm-per-prompt", '{"image": {"breadth": 512}}'),
            "--limit-mm-per-prompt: image: 'breadth' is not one of its sizes: use count, width, height",
        ),
        (
            ("--speculative-config", "mtp"),
            "--speculative-config: 'mtp' is not JSON: write it in single quotes, for example '{\"key\": 1}'",
        ),
        (("--cpu-offload-gb", "much"), "--cpu-offload-gb: 'much' is not a number: write for example 0.9"),
    ],
)
def test_a_wrong_value_exits_2_with_a_fix(ask: Ask, arguments: tuple[str, ...], message: str) -> None:
    answer = ask(*PLAN, *arguments)
    assert (answer.returncode, answer.stdout) == (2, "")
    assert message in answer.stderr


def test_a_guess_is_noted(ask: Ask) -> None:
    head = '{"method": "eagle3", "model": "org/head", "num_speculative_tokens": 3}'
    notes = json.loads(
        ask("Qwen/Qwen3-8B", "--instance-type", "g6e.xlarge", "--speculative-config", head, "--json").stdout
    )["notes"]
    assert (
        "the memory of org/head is a guess from the model's own layers: lock it with vllm-eks lock org/head to count it"
    ) in notes
    offload = ("--cpu-offload-gb", "4", "--json")
    notes = json.loads(ask("Qwen/Qwen3-8B", "--instance-type", "g6e.4xlarge", *offload).stdout)["notes"]
    assert (
        "weights in host memory are read over PCIe in every step, so there is no estimate of tokens per second" in notes
    )
