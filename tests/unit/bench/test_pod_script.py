"""The script of the client's pod, with a stand-in for the `vllm` command."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from vllm_eks.bench import pod_script
from vllm_eks.bench.pod_script import RESULT_MARK, patiently, tokenizer_folder

KEY = "sk-planted-key-0123"
VLLM = """\
#!{python}
import json, os, sys
print("arguments:", sys.argv[1:])
if "--fail" in sys.argv:
    sys.exit("no such flag")
folder = sys.argv[sys.argv.index("--result-dir") + 1]
result = {{"completed": 3, "key": "it was " + os.environ["OPENAI_API_KEY"]}}
open(os.path.join(folder, "result.json"), "w").write(json.dumps(result))
"""


@pytest.fixture
def run(tmp_path: Path) -> object:
    """Run the script as the pod does: as text, with the stand-in on PATH."""
    command = tmp_path / "vllm"
    command.write_text(VLLM.format(python=sys.executable))
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "apiKey").write_text(f"{KEY}\n")
    (tmp_path / "tokenizer").mkdir()

    def run(*bench: str) -> subprocess.CompletedProcess[str]:
        own = ["--tokenizer", str(tmp_path / "tokenizer"), "--api-key-file", str(tmp_path / "apiKey")]
        script = Path(pod_script.__file__).read_text()
        return subprocess.run(
            [sys.executable, "-c", script, *own, "--folder", str(tmp_path), "--", *bench],
            env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_the_result_is_the_last_line_and_the_key_is_nowhere(run, tmp_path: Path) -> None:
    ended = run("--num-prompts", "3")

    assert ended.returncode == 0, ended.stderr
    first, *_, last = ended.stdout.splitlines()
    tokenizer = str(tmp_path / "tokenizer")
    assert first == (
        f"arguments: ['bench', 'serve', '--num-prompts', '3', '--tokenizer', '{tokenizer}', '--save-result', "
        f"'--result-dir', '{tmp_path}', '--result-filename', 'result.json']"
    )
    assert json.loads(last.removeprefix(RESULT_MARK)) == {"completed": 3, "key": "it was ***"}
    assert KEY not in ended.stdout + ended.stderr


def test_a_failed_client_has_no_result_and_its_exit_status(run) -> None:
    ended = run("--fail")

    assert (ended.returncode, RESULT_MARK in ended.stdout) == (1, False)
    assert ended.stderr == "no such flag\n"


def test_a_tokenizer_comes_from_the_hub_at_the_served_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    class Hub:
        @staticmethod
        def snapshot_download(place: str, *, revision: str | None, ignore_patterns: list[str]) -> str:
            asked.append((place, revision))
            assert "*.safetensors" in ignore_patterns
            return "/cache/qwen"

    monkeypatch.setitem(sys.modules, "huggingface_hub", Hub)
    assert tokenizer_folder("Qwen/Qwen3-8B", "abc123") == "/cache/qwen"
    assert asked == [("Qwen/Qwen3-8B", "abc123")]


def test_without_the_hub_s_client_vllm_downloads_the_tokenizer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert tokenizer_folder("Qwen/Qwen3-8B", "abc123") == "Qwen/Qwen3-8B"


def test_a_tokenizer_in_a_bucket_comes_by_the_reader_of_vllm(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stored:
        dir = "/cache/model_streamer"

        def __init__(self, url: str) -> None:
            assert url == "s3://bucket/qwen"

        def pull_files(self, place: str, *, ignore_pattern: list[str]) -> None:
            assert (place, "*.safetensors" in ignore_pattern) == ("s3://bucket/qwen", True)

    class Module:
        ObjectStorageModel = Stored

    monkeypatch.setitem(sys.modules, "vllm.transformers_utils.runai_utils", Module)
    assert tokenizer_folder("s3://bucket/qwen", None) == "/cache/model_streamer"


def test_a_download_is_tried_again_while_the_network_opens(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    slept, answers = [], iter([OSError("no route"), OSError("no route"), None])
    monkeypatch.setattr("time.sleep", slept.append)

    def get() -> str:
        if error := next(answers):
            raise error
        return "/cache"

    assert patiently(get) == "/cache"
    assert slept == [5.0, 5.0]
    assert capsys.readouterr().out == "the tokenizer is not there yet: no route\n" * 2


def test_a_download_that_never_works_ends_with_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)

    def get() -> str:
        raise OSError("401 gated")

    with pytest.raises(OSError, match="401 gated"):
        patiently(get)
