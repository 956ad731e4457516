"""Values that vLLM's parser accepts and its config classes refuse: names, bounds, and what JSON objects hold."""

from collections.abc import Sequence

import pytest

from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.engine.flag_reading import read_flags
from vllm_eks.planner.engine.flag_tables import Flag, flags_of, nearest_table, table_versions
from vllm_eks.planner.value_limits import key_limits

VERSIONS = ("0.21.0", "0.27.0", "0.32.0", "0.33.0")


def errors_of(args: Sequence[str], version: str = "0.27.0") -> list[str]:
    return [error.text for error in read_flags(args, flags_of(version)).errors]


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (("--attention-backend", "FLASH_ATN"), "'FLASH_ATN' is not a valid choice: did you mean FLASH_ATTN?"),
        (("--load-format", "safetensor"), "'safetensor' is not a valid choice: did you mean safetensors?"),
        (("--tokenizer-mode", "mistrl"), "'mistrl' is not a valid choice: did you mean mistral?"),
        (("--config-format", "xyz"), "'xyz' is not a valid choice: use one of auto, hf, mistral"),
        (("--optimization-level", "9"), "'9' is not a valid choice: use one of 0, 1, 2, 3"),
        (("--watermark", "1"), "1 must be 0 or more and below 1"),
        (("--block-size", "0"), "0 must be above 0"),
        (("--kv-cache-metrics-sample", "1.5"), "1.5 must be above 0 and 1 or less"),
        (("--stream-interval", "0"), "0 must be 1 or more"),
        (("--max-num-scheduled-tokens", "-1"), "-1 must be 0 or more"),
        (
            ("--compilation-config", '{"mode": 7}'),
            "mode: '7' is not a valid choice: use one of 0, 1, 2, 3, DYNAMO_TRACE_ONCE, NONE, STOCK_TORCH_COMPILE, "
            "VLLM_COMPILE, none",
        ),
        (("--compilation-config", '{"custom_ops": "all"}'), "custom_ops: 'all' must be a list"),
        (
            ("--compilation-config", '{"pass_config": {"fuse_nrm_quant": true}}'),
            "unknown key 'pass_config.fuse_nrm_quant': did you mean fuse_norm_quant?",
        ),
        (
            ("--compilation-config.pass_config.eliminate_noops", "maybe"),
            "pass_config.eliminate_noops: 'maybe' must be true or false",
        ),
        (("--attention-config", '{"backend": "NOPE"}'), None),
        (
            ("--attention-config", '{"flash_attn_version": 5}'),
            "flash_attn_version: '5' is not a valid choice: use one of 2, 3, 4",
        ),
        (
            ("--structured-outputs-config", '{"backend": "xgramar"}'),
            "backend: 'xgramar' is not a valid choice: did you mean xgrammar?",
        ),
        (("--kv-events-config", '{"buffer_steps": 1.5}'), "buffer_steps: 1.5 must be a whole number"),
    ],
)
def test_a_value_that_vllm_refuses_after_parsing_is_an_error(args: Sequence[str], error: str | None) -> None:
    found = errors_of(args)
    assert len(found) == 1
    if error is None:
        assert found[0].startswith(f"{args[0]}: backend: 'NOPE' is not a valid choice: use one of CUSTOM, CUTLASS_MLA")
        assert "ROCM" not in found[0]
    else:
        assert found == [f"{args[0]}: {error}"]


@pytest.mark.parametrize(
    "args",
    [
        ("--attention-backend", "flash_attn"),
        ("--attention-backend", "auto"),
        ("--attention-backend", "None"),
        ("--attention-config.backend", "flashinfer"),
        ("--compilation-config", '{"mode": 3, "pass_config": {"fuse_norm_quant": null}}'),
        ("--compilation-config", '{"mode": "NONE", "cudagraph_mode": "full_and_piecewise"}'),
        ("--compilation-config", '{"compile_sizes": [1, 2], "use_inductor_graph_partition": 1}'),
        ("--kv-events-config", '{"buffer_steps": "12", "enable_kv_cache_events": "yes"}'),
        ("--max-model-len", "auto"),
        ("--max-logprobs", "-1"),
        ("--watermark", "0.99"),
        ("-O3",),
        ("--load-format", "runai_streamer"),
    ],
)
@pytest.mark.parametrize("version", VERSIONS)
def test_what_vllm_accepts_is_accepted(args: Sequence[str], version: str) -> None:
    if args[0] in flags_of(version) or args[0].startswith(("-O", "--attention-config.", "--compilation-config.")):
        assert errors_of(args, version) == []


def test_the_default_of_every_flag_is_within_its_limits() -> None:
    for version in VERSIONS:
        for flag in nearest_table(version).flags.values():
            if flag.form != "flag" and flag.default not in (None, "") and flag.nargs is None:
                assert errors_of((f"{flag.name}={flag.default}",), version) == []


def test_the_limits_of_all_tables_can_be_read() -> None:
    for version in table_versions():
        flags = nearest_table(".".join(map(str, version))).flags
        limited = [flag.name for flag in flags.values() if flag.value_limits]
        assert len(limited) > 10
        assert {"--speculative-config", "--compilation-config", "--attention-config"} <= set(limited)


def test_a_row_with_an_unknown_field_is_an_error() -> None:
    with pytest.raises(WrongQuestion, match=r"x\.key: kindz is not a known key"):
        key_limits({"key": {"kindz": ["text"]}}, where="x")
    flag = Flag.from_json("--x", {"form": "json", "values": {"key": {"choices": [1.5]}}}, where="table")
    with pytest.raises(WrongQuestion, match=r"--x\.key: choices \[1\.5\] must be texts and whole numbers"):
        _ = flag.value_limits
