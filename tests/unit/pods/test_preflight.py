"""The checks before vLLM starts."""

import os
import sys
from pathlib import Path

import pytest

from vllm_eks.pods import PODS, preflight

PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"


def faults(tmp_path: Path, *command: str, **environ: str) -> list[str]:
    """Check a pod with correct folders."""
    given = {"PATH": PATH, "HOME": str(tmp_path / "home"), **environ}
    return preflight.errors(command or ("sh",), given, places=[str(tmp_path)])


def test_a_correct_pod_has_no_errors(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "apiKey").write_text("key-one\n")
    middleware = ("sh", "--middleware", "vllm_eks_keys.ApiKeys")
    keys = {"API_KEYS_FOLDER": str(tmp_path / "keys"), "PYTHONPATH": str(PODS)}
    assert faults(tmp_path, *middleware, HF_TOKEN_PATH=str(tmp_path / "keys" / "apiKey"), **keys) == []


def test_all_errors_are_reported_at_once(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "apiKey").write_text("\n")
    found = faults(
        tmp_path,
        "no-such-vllm",
        "--middleware",
        "vllm_eks_keys.Nothing",
        HF_HOME="/proc/weights",
        API_KEYS_FOLDER=str(tmp_path / "empty"),
        HF_TOKEN_PATH=str(tmp_path / "token"),
        PYTHONPATH=str(PODS),
    )
    assert found == [
        f"no-such-vllm is not on the image's PATH ({PATH}): use an image with vLLM",
        "/proc/weights cannot be written to (No such file or directory): check the volume that is mounted there",
        f"{tmp_path}/empty contains no API key, so no client can call the model: add one to its Secret",
        f"{tmp_path}/token cannot be read: check the Secret with the Hugging Face token",
        "--middleware vllm_eks_keys.Nothing cannot be imported (AttributeError: module 'vllm_eks_keys' has no "
        "attribute 'Nothing'): check PYTHONPATH and the volume mounted there",
    ]


def test_a_full_disk_is_reported_before_the_weights_are_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage:
        free = 300 * 1024

    monkeypatch.setattr(preflight.shutil, "disk_usage", lambda _: Usage)
    assert faults(tmp_path) == [
        f"{folder} has 300 KiB free: No space left on device for caches; enlarge or clear its volume"
        for folder in (tmp_path / "home", tmp_path)
    ]


def test_caches_of_other_images_are_deleted(tmp_path: Path) -> None:
    for path in ("scout-0/new/vllm", "scout-0/old/vllm", "scout-1/old/vllm"):
        (tmp_path / path).mkdir(parents=True)
    preflight.remove_other_caches({"CACHES_FOLDER": str(tmp_path / "scout-0" / "new")})
    preflight.remove_other_caches({"CACHES_FOLDER": str(tmp_path / "scout-9" / "new")})
    preflight.remove_other_caches({})
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.glob("*/*"))
    assert left == ["scout-0/new", "scout-1/old"]
