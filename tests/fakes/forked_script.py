"""Runs a script as its own process, forked from one that has imported boto3, which saves half a second each time."""

from __future__ import annotations

import multiprocessing
import os
import resource
import runpy
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import IO

_CONTEXT = multiprocessing.get_context("forkserver")
# Without this, each process would load pytest's own modules again.
_CONTEXT.set_forkserver_preload(["__main__", "tests.fakes.warm_boto3"])


@dataclass
class Running:
    """A process and its output."""

    process: BaseProcess
    said: IO[str]


@contextmanager
def started(script: Path, arguments: Sequence[str], env: Mapping[str, str], *, no_disk: bool) -> Iterator[Running]:
    """Start a script, and kill it at the end of the block."""
    _warm_up()
    reader, writer = os.pipe()
    output = Connection(writer, readable=False)
    process = _CONTEXT.Process(target=_become, args=(script, list(arguments), dict(env), output, no_disk))
    process.start()
    output.close()
    try:
        with open(reader, encoding="utf-8") as said:  # noqa: PTH123  (a descriptor)
            yield Running(process, said)
    finally:
        process.kill()
        process.join()
        process.close()


def _warm_up() -> None:
    """Start the process to fork from, once. Its module path is this folder and none of pytest's."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[2])
    try:
        forkserver.ensure_running()
    finally:
        del os.environ["PYTHONPATH"]
        if before is not None:
            os.environ["PYTHONPATH"] = before


def _become(script: Path, arguments: Sequence[str], env: Mapping[str, str], output: Connection, no_disk: bool) -> None:
    for descriptor in (1, 2):
        os.dup2(output.fileno(), descriptor)
    output.close()
    os.environ.clear()
    os.environ.update(env)
    if no_disk:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        os.chdir("/proc")  # where nothing can be made
    sys.argv = [str(script), *arguments]
    sys.dont_write_bytecode = True
    runpy.run_path(str(script), run_name="__main__")
