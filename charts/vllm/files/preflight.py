"""What is looked at before vLLM starts: what would end it after minutes of loading, or leave everybody locked out."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

FOLDERS = (
    "HOME",
    "HF_HOME",
    "VLLM_CACHE_ROOT",
    "TORCHINDUCTOR_CACHE_DIR",
    "TRITON_CACHE_DIR",
    "FLASHINFER_WORKSPACE_BASE",
)
"""Environment variables of the chart that name folders vLLM and its libraries write to."""
PLACES = ("/tmp", "/dev/shm")
LEAST_FREE_BYTES = 16 * 2**20
"""Less than this ends every start: compiled kernels, locks and the tokenizer's files alone take more."""
KEYS_FOLDER = "API_KEYS_FOLDER"
IMPORT_SECONDS = 60


def faults(command: Sequence[str], environ: Mapping[str, str], *, places: Sequence[str] = PLACES) -> list[str]:
    """Return all that is wrong, each as a sentence with what to do."""
    folders = [environ[name] for name in FOLDERS if name in environ]
    found = [*_program_faults(command, environ)]
    for folder in dict.fromkeys([*folders, *places]):
        found += _folder_faults(Path(folder))
    found += _key_faults(environ)
    if (token := environ.get("HF_TOKEN_PATH")) and not _readable(Path(token)):
        found.append(f"{token} cannot be read: look at the Secret of the Hugging Face token")
    found += _middleware_faults(command, environ)
    return found


def forget_other_caches(environ: Mapping[str, str]) -> None:
    """Remove what this pod compiled with other images: the node's disk keeps it, and nothing else would."""
    own = Path(environ.get("CACHES_FOLDER", ""))
    if not own.name or not own.parent.is_dir():
        return
    for other in own.parent.iterdir():
        if other.name != own.name:
            shutil.rmtree(other, ignore_errors=True)


def _program_faults(command: Sequence[str], environ: Mapping[str, str]) -> Iterator[str]:
    if not shutil.which(command[0], path=environ.get("PATH")):
        yield f"{command[0]} is not on the image's PATH ({environ.get('PATH', '')}): give an image with vLLM"


def _folder_faults(folder: Path) -> Iterator[str]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".vllm-eks-") as file:
            file.write(b"x" * 4096)
            file.flush()
        free = shutil.disk_usage(folder).free
    except OSError as error:
        yield f"{folder} cannot be written to ({error.strerror or error}): look at the volume that is mounted there"
        return
    if free < LEAST_FREE_BYTES:
        yield f"{folder} has {free // 1024} KiB free: No space left on device for caches; enlarge or empty its volume"


def _key_faults(environ: Mapping[str, str]) -> Iterator[str]:
    if not (folder := environ.get(KEYS_FOLDER)):
        return
    try:
        files = [path for path in Path(folder).iterdir() if not path.name.startswith(".")]
    except OSError as error:
        yield f"{folder} cannot be read ({error.strerror or error}): look at the Secret of the API keys"
        return
    unreadable = [path for path in files if not _readable(path)]
    yield from (f"{path} cannot be read: look at the mode of the Secret of the API keys" for path in unreadable)
    if not unreadable and not any(path.read_bytes().strip() for path in files):
        yield f"{folder} holds no API key, so nobody could call the model: put one into its Secret"


def _middleware_faults(command: Sequence[str], environ: Mapping[str, str]) -> Iterator[str]:
    """vLLM imports these after it has loaded the model."""
    named = [after for flag, after in pairwise(command) if flag == "--middleware"]
    for name in named:
        module, _, attribute = name.rpartition(".")
        code = f"import importlib; importlib.import_module({module!r}).{attribute}"
        try:
            tried = subprocess.run(
                ["python3", "-c", code], env=dict(environ), capture_output=True, text=True, timeout=IMPORT_SECONDS
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            yield f"--middleware {name} cannot be tried: {error}"
            continue
        if tried.returncode:
            last = (tried.stderr.strip().splitlines() or ["no word"])[-1]
            yield f"--middleware {name} cannot be imported ({last}): look at PYTHONPATH and at the volume mounted there"


def _readable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.R_OK)
