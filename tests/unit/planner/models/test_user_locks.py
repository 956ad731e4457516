"""Lock files beside a stack, which a user may copy, rename or edit."""

import json
from pathlib import Path
from typing import Any

import pytest

from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.models.known_models import LOCKED, find_model

SHIPPED = json.loads((LOCKED / "Qwen--Qwen3-8B.json").read_text()) | {"id": "me/x"}
LAYER = {
    "indices": "0-35",
    "query_output_bytes": 5 * 10**7,
    "key_value_bytes": 10**7,
    "mlp_bytes": 3 * 10**8,
    "expert_bytes": 0,
    "replicated_bytes": 10**4,
}
PARTS = {
    "embedding_bytes": 1_244_659_712,
    "head_bytes": 1_244_659_712,
    "final_norm_bytes": 8192,
    "vision_bytes": 0,
    "parameters": 8_190_735_360,
    "layers": [LAYER],
}
OLD = "is not a lock file of this version: delete it and lock the model again"


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "Pulumi.yaml").write_text("name: x\n")
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "models"
    folder.mkdir()
    return folder


def test_a_lock_of_headers_is_read(models: Path) -> None:
    lock = {**SHIPPED, "weights_source": "headers", "weights_bytes": 16 * 10**9, "parts": PARTS}
    (models / "me--x.json").write_text(json.dumps(lock))
    assert find_model("me/x").parts.parameters == 8_190_735_360


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"id": "you/y"}, "is the lock file of you/y: rename it to you--y.json"),
        ({"weights_bytes": "16"}, OLD),
        ({"weights_source": "headers", "weights_bytes": 16 * 10**9, "parts": {"x": 1}}, OLD),
        ({"weights_source": "headers", "weights_bytes": 16 * 10**9, "parts": {**PARTS, "head_bytes": "1"}}, OLD),
        ({"weights_source": "headers", "weights_bytes": 16 * 10**9, "parts": {**PARTS, "layers": {}}}, OLD),
        *(
            (
                {
                    "weights_source": "headers",
                    "weights_bytes": 16 * 10**9,
                    "parts": {**PARTS, "layers": [{**LAYER, "indices": indices}]},
                },
                OLD,
            )
            for indices in ("0-34", "", "x", "0-99999999", "٠-٣٥")
        ),
        *(
            (
                {"weights_source": "index", "weights_bytes": size},
                f"weights_bytes is {gib} GiB, and config.json describes a model of 15.26 GiB: use files of the same "
                "model",
            )
            for size, gib in ((None, "0.00"), (1, "0.00"), (-5, "-0.00"), (2**40, "1,024.00"))
        ),
    ],
)
def test_an_impossible_lock_file_is_one_error(models: Path, change: dict[str, Any], told: str) -> None:
    (models / "me--x.json").write_text(json.dumps(SHIPPED | change))
    with pytest.raises(WrongQuestion) as caught:
        find_model("me/x")
    assert str(caught.value) in (f"{models}/me--x.json {told}", f"{models}/me--x.json: {told}")


def test_a_link_to_nothing_is_an_error_not_an_absent_file(models: Path) -> None:
    (models / "me--x.json").symlink_to("nowhere")
    with pytest.raises(WrongQuestion, match=r"me--x\.json: No such file or directory$"):
        find_model("me/x")
