"""Runs `vllm bench serve` in the pod of a benchmark, and prints its result as the last line of the log.

The Job passes this file to the image's Python as text, so it imports nothing of this package. It fetches the tokenizer
at the revision that is served, which `vllm bench serve` has no option for. The API key comes from a mounted file and
goes to the client in an environment variable: vLLM prints its command line, and the key must not be there.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

RESULT_MARK = "vllm-eks bench result: "
"""Begins the line with vLLM's result, a JSON object."""
RESULT_FILE = "result.json"
WEIGHTS = ["*.safetensors", "*.bin", "*.pt", "*.pth", "*.gguf", "*.tensors", "*.onnx*", "*.h5", "*.msgpack", "*.nemo"]
"""Files of a repository that no tokenizer needs."""
TRIES, SECONDS_BETWEEN_TRIES = 12, 5.0
"""The network's rules for a new pod take some seconds."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark and return its exit status."""
    parser = argparse.ArgumentParser(description="vllm bench serve, with its result in the log")
    parser.add_argument("--tokenizer", required=True, help="a Hub repository, an s3:// URI, or a folder")
    parser.add_argument("--revision", help="of the Hub repository")
    parser.add_argument("--api-key-file", required=True, type=Path)
    parser.add_argument("--folder", required=True, type=Path, help="where the result is written")
    parser.add_argument("bench", nargs="+", help="the options of vllm bench serve, after --")
    options = parser.parse_args(arguments)
    folder = patiently(lambda: tokenizer_folder(options.tokenizer, options.revision))
    command = ["vllm", "bench", "serve", *options.bench, "--tokenizer", folder]
    command += ["--save-result", "--result-dir", str(options.folder), "--result-filename", RESULT_FILE]
    key = options.api_key_file.read_text().strip()
    status = subprocess.run(command, env={**os.environ, "OPENAI_API_KEY": key}, check=False).returncode
    if status == 0:
        result = json.loads((options.folder / RESULT_FILE).read_text())
        print(RESULT_MARK + json.dumps(result).replace(key, "***"), flush=True)
    return status


def tokenizer_folder(place: str, revision: str | None) -> str:
    """Return a folder with the tokenizer, downloaded if it is in a repository or in a bucket."""
    if place.startswith("s3://"):
        # vLLM's own reader of buckets, which the image has because the server uses it.
        stored: Any = import_module("vllm.transformers_utils.runai_utils").ObjectStorageModel(url=place)
        stored.pull_files(place, ignore_pattern=WEIGHTS)
        return str(stored.dir)
    if Path(place).is_dir():
        return place
    try:
        hub: Any = import_module("huggingface_hub")
    except ModuleNotFoundError:
        # vLLM has another Python than the image's python3. It downloads the newest tokenizer by itself.
        return place
    return str(hub.snapshot_download(place, revision=revision, ignore_patterns=WEIGHTS))


def patiently(get: Callable[[], str]) -> str:
    """Return the result of a download, tried again for a minute."""
    for left in range(TRIES - 1, -1, -1):
        try:
            return get()
        except Exception as error:
            print(f"the tokenizer is not there yet: {error}", flush=True)
            if not left:
                raise
            time.sleep(SECONDS_BETWEEN_TRIES)
    raise AssertionError


if __name__ == "__main__":
    sys.exit(main())
