"""Checks before vLLM starts, for errors that vLLM would find after minutes of loading, or that lock out all clients."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from vllm_eks.pods.client_keys import key_files

FOLDERS = (
    "HOME",
    "HF_HOME",
    "VLLM_CACHE_ROOT",
    "TORCHINDUCTOR_CACHE_DIR",
    "TRITON_CACHE_DIR",
    "FLASHINFER_WORKSPACE_BASE",
)
"""The chart's environment variables with folders that vLLM and its libraries write to."""
PLACES = ("/tmp", "/dev/shm")
MIN_FREE_BYTES = 16 * 2**20
"""Every start needs more than this for compiled kernels, locks and the tokenizer's files."""
KEYS_FOLDER = "API_KEYS_FOLDER"
IMPORT_SECONDS = 60


def errors(command: Sequence[str], environ: Mapping[str, str], *, places: Sequence[str] = PLACES) -> list[str]:
    """Return all errors, each as a sentence with a fix."""
    folders = [environ[name] for name in FOLDERS if name in environ]
    messages = [*_program_errors(command, environ)]
    for folder in dict.fromkeys([*folders, *places]):
        messages += _folder_errors(Path(folder))
    messages += _key_errors(environ)
    if (token := environ.get("HF_TOKEN_PATH")) and not _readable(Path(token)):
        messages.append(f"{token} cannot be read: check the Secret with the Hugging Face token")
    messages += _middleware_errors(command, environ)
    return messages


def remove_other_caches(environ: Mapping[str, str]) -> None:
    """Delete the caches that other images compiled, which otherwise stay on the node's disk."""
    own = Path(environ.get("CACHES_FOLDER", ""))
    if not own.name or not own.parent.is_dir():
        return
    for other in own.parent.iterdir():
        if other.name != own.name:
            shutil.rmtree(other, ignore_errors=True)


def _program_errors(command: Sequence[str], environ: Mapping[str, str]) -> Iterator[str]:
    if not shutil.which(command[0], path=environ.get("PATH")):
        yield f"{command[0]} is not on the image's PATH ({environ.get('PATH', '')}): use an image with vLLM"


def _folder_errors(folder: Path) -> Iterator[str]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".vllm-eks-") as file:
            file.write(b"x" * 4096)
            file.flush()
        free = shutil.disk_usage(folder).free
    except OSError as error:
        yield f"{folder} cannot be written to ({error.strerror or error}): check the volume that is mounted there"
        return
    if free < MIN_FREE_BYTES:
        yield f"{folder} has {free // 1024} KiB free: No space left on device for caches; enlarge or clear its volume"


def _key_errors(environ: Mapping[str, str]) -> Iterator[str]:
    if not (folder := environ.get(KEYS_FOLDER)):
        return
    try:
        files = key_files(Path(folder))
    except OSError as error:
        yield f"{folder} cannot be read ({error.strerror or error}): check the Secret with the API keys"
        return
    unreadable = [path for path in files if not _readable(path)]
    yield from (f"{path} cannot be read: check the mode of the Secret with the API keys" for path in unreadable)
    if not unreadable and not any(path.read_bytes().strip() for path in files):
        yield f"{folder} contains no API key, so no client can call the model: add one to its Secret"


def _middleware_errors(command: Sequence[str], environ: Mapping[str, str]) -> Iterator[str]:
    """Yield an error for each middleware that cannot be imported. vLLM imports them after it has loaded the model."""
    names = [after for flag, after in pairwise(command) if flag == "--middleware"]
    for name in names:
        module, _, attribute = name.rpartition(".")
        code = f"import importlib; importlib.import_module({module!r}).{attribute}"
        try:
            tried = subprocess.run(
                ["python3", "-c", code], env=dict(environ), capture_output=True, text=True, timeout=IMPORT_SECONDS
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            yield f"--middleware {name} could not be checked: {error}"
            continue
        if tried.returncode:
            last = (tried.stderr.strip().splitlines() or ["no output"])[-1]
            yield f"--middleware {name} cannot be imported ({last}): check PYTHONPATH and the volume mounted there"


def _readable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.R_OK)
