"""Compares two checkouts: plans of all models, previews of all stacks, and rendered charts.

usage: python tools/compare_behaviour.py BEFORE AFTER

Each checkout has its own environment (`make setup`). Their layouts may differ: plans and previews come from the
command, and registrations from the module that records them. Values must be equal. Texts are only counted, because new
wording does not change behaviour.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

WORDS = {"message", "text", "rule", "notes", "warnings", "line", "description", "remark"}
"""Keys with sentences for people."""
WORKERS = 2


def run(checkout: Path, *words: str, folder: Path | None = None) -> tuple[int, str]:
    """Run `vllm-eks` of a checkout, and return its exit status and standard output."""
    command = [str(checkout / ".venv/bin/vllm-eks"), *words]
    done = subprocess.run(command, cwd=folder or checkout, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def models_of(checkout: Path) -> list[str]:
    """Return the IDs of the locked models."""
    (folder,) = [
        path for path in (checkout / "planner/data/models", checkout / "vllm_eks/data/models") if path.is_dir()
    ]
    return sorted(path.stem.replace("--", "/", 1) for path in folder.glob("*.json"))


def stacks_of(checkout: Path) -> Iterator[tuple[Path, str]]:
    """Yield the folder and the name of each shipped stack. Examples are copied next to the project's files."""
    for folder in (checkout, checkout / "examples"):
        for file in sorted(folder.glob("Pulumi.*.yaml")):
            yield file, file.name.removeprefix("Pulumi.").removesuffix(".yaml")


@contextmanager
def in_the_project(checkout: Path, file: Path) -> Iterator[None]:
    """Put an example next to Pulumi.yaml while it is used."""
    copied = checkout / file.name
    added = file != copied
    if added:
        shutil.copy(file, copied)
    try:
        yield
    finally:
        if added:
            copied.unlink()


RECORD = """
import dataclasses, json, sys
from pathlib import Path
try:
    from vllm_eks.preview.recording import record
    from vllm_eks.stack_files.read import read_stack_file
except ModuleNotFoundError:
    from cli.recording import record
    from config.stack_file import read_stack_file
found = record(Path(), read_stack_file(Path(), sys.argv[1]).for_offline_preview())
told = []
for one in found.registrations:
    fields = {field.name: getattr(one, field.name) for field in dataclasses.fields(one) if field.name != "request"}
    request = one.request
    fields["edges"] = sorted(request.dependencies)
    fields["secret_paths"] = sorted(one.secret_paths)
    fields["options"] = [request.protect, request.deleteBeforeReplace, request.retainOnDelete]
    fields["ignored"] = list(request.ignoreChanges)
    told.append(fields)
print(json.dumps(told, default=str, sort_keys=True))
"""


def registrations(checkout: Path, stack: str) -> tuple[int, str]:
    """Return the program's registrations for a stack: names, types, parents, inputs, dependencies and options."""
    command = [str(checkout / ".venv/bin/python"), "-c", RECORD, stack]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout if done.returncode == 0 else json.dumps(done.stderr[-500:])


def charts(checkout: Path) -> Iterator[tuple[str, str]]:
    """Yield the chart as rendered by helm for the golden values of both stacks, without the text of the scripts."""
    helm = shutil.which("helm")
    for values in sorted((checkout / "tests/golden").glob("*.json")):
        if helm:
            command = [helm, "template", "model", str(checkout / "charts/vllm"), "--values", str(values)]
            command += ["--set", "secrets.apiKey=key"]
            yield values.stem, subprocess.run(command, capture_output=True, text=True, check=True).stdout


def answers(checkout: Path) -> dict[str, tuple[int, str]]:
    """Return everything to compare, by name."""
    asked: dict[str, tuple[str, ...]] = {}
    for model in models_of(checkout):
        asked[f"plan {model}"] = ("plan", model, "--json")
        for version in ("0.11.0", "0.21.0", "0.32.0"):
            asked[f"plan {model} {version}"] = ("plan", model, "--json", "--vllm-version", version, "--replicas", "2")
    with ThreadPoolExecutor(WORKERS) as pool:
        told = pool.map(lambda words: run(checkout, *words), asked.values())
        found = dict(zip(asked, told, strict=True))
    for file, stack in stacks_of(checkout):
        with in_the_project(checkout, file):
            found[f"preview {stack}"] = run(checkout, "preview", "--stack", stack, "--json", "--resources", "--values")
            found[f"registrations {stack}"] = registrations(checkout, stack)
    return {name: (status, text.replace(str(checkout), "CHECKOUT")) for name, (status, text) in found.items()}


def without_words(value: object) -> object:
    """Return a JSON value with all sentences replaced by their number."""
    if isinstance(value, dict):
        return {
            key: len(part)
            if key in WORDS and isinstance(part, list)
            else "words"
            if key in WORDS
            else without_words(part)
            for key, part in value.items()
        }
    return [without_words(part) for part in value] if isinstance(value, list) else value


def count_of(sentences: object) -> int:
    """Return the number of sentences in a value."""
    return len(sentences) if isinstance(sentences, list) else 1


def differences(before: object, after: object, path: str = "") -> Iterator[str]:
    """Yield each difference of two JSON values."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            yield from differences(before.get(key), after.get(key), f"{path}.{key}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from differences(one, other, f"{path}[{index}]")
    elif before != after:
        yield f"{path}: {str(before)[:70]!r} -> {str(after)[:70]!r}"


def main(before: Path, after: Path) -> int:
    """Print the differences. Return 1 if a value differs."""
    one, other = answers(before), answers(after)
    values = words = 0
    for name in sorted(one.keys() | other.keys()):
        (status, text), (status_after, text_after) = one.get(name, (-1, "null")), other.get(name, (-1, "null"))
        old, new = json.loads(text or "null"), json.loads(text_after or "null")
        lines = list(differences(without_words(old), without_words(new)))
        lines += [f"exit status {status} -> {status_after}"] if status != status_after else []
        values += len(lines)
        words += len(list(differences(old, new))) - len(lines)
        for line in lines[:12]:
            print(f"{name}: {line}")
    rendered = dict(charts(before)), dict(charts(after))
    for name in rendered[0]:
        old, new = (re.sub(r"(?s)^data:\n.*?^---", "", text[name], flags=re.M) for text in rendered)
        changed = set(old.splitlines()) ^ set(new.splitlines())
        print(f"chart {name}: {len(changed)} lines differ outside the scripts")
        for line in sorted(changed):
            print(f"  {'-' if line in old.splitlines() else '+'} {line.strip()}")
    print(f"{len(one)} results compared: {values} values differ, {words} texts differ")
    return 1 if values else 0


if __name__ == "__main__":
    os.environ["COLUMNS"] = "160"
    sys.exit(main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()))
