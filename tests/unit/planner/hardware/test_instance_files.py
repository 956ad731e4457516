import json
from pathlib import Path

import pytest

from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.hardware.instance_files import read_instance_file

GIVEN = {"type": "x1", "gpu": "A10G", "gpus": 4, "gpu_memory_gib": 21.98, "compute_capability": 8.6}


def written(folder: Path, document: object) -> Path:
    path = folder / "type.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def test_an_instance_file_describes_a_type_the_catalogue_lacks(tmp_path: Path) -> None:
    found = read_instance_file(written(tmp_path, {**GIVEN, "usd_per_hour": 3.5}))
    assert (found.gpus, found.sm, found.usd_per_hour, found.gpu_memory_source) == (4, 86, 3.5, "given")


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{", "is not JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ([], "must contain one JSON object"),
        ({**GIVEN, "gpus": 0}, "gpus: must be above 0"),
        ({**GIVEN, "gpu_memory_gib": -1}, "gpu_memory_gib: must be above 0"),
        (
            {**GIVEN, "gpu_memory_bandwidth_gbytes_per_second": 0},
            "gpu_memory_bandwidth_gbytes_per_second: must be above 0",
        ),
        ({**GIVEN, "compute_capability": "86"}, "compute_capability: '86' must look like 8.6"),
        ({**GIVEN, "colour": "red"}, "colour: is not a known key"),
        (
            {"gpu": "A10G"},
            "type: is missing; gpus: is missing; gpu_memory_gib: is missing; compute_capability: is missing",
        ),
    ],
)
def test_a_wrong_instance_file_is_one_clear_sentence(tmp_path: Path, document: object, message: str) -> None:
    path = written(tmp_path, document)
    with pytest.raises(WrongQuestion) as caught:
        read_instance_file(path)
    assert str(caught.value).removeprefix(f"--instance-file {path}").lstrip(": ") == message


def test_a_missing_instance_file_is_an_error() -> None:
    with pytest.raises(WrongQuestion, match=r"--instance-file none\.json: No such file or directory"):
        read_instance_file(Path("none.json"))
