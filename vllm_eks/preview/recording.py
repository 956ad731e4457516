"""Runs the real `__main__.py` in an embedded engine: Pulumi's mock monitor, which records every registration."""

import contextlib
import logging
import runpy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pulumi
from pulumi.runtime import get_root_resource
from pulumi.runtime.mocks import MockCallArgs
from pulumi.runtime.stack import Stack

from vllm_eks.check import OFFLINE_REASON, Check, LogLine, check_lines
from vllm_eks.planner.search.gpu_nodes import GpuNodes
from vllm_eks.preview.embedded_engine import set_engine
from vllm_eks.preview.mock_cloud import (
    Answer,
    CallFailedError,
    OfflineMocks,
    RecordingMonitor,
    Registration,
)
from vllm_eks.preview.planned_stack import published_stacks
from vllm_eks.specs.network import FoundVpc
from vllm_eks.stack_files.read import StackFile


@dataclass(frozen=True, kw_only=True)
class Recording:
    """The plan, the checks and the registrations of one run of the program."""

    registrations: Sequence[Registration]
    fleet: Mapping[str, GpuNodes]
    checks: Sequence[Check]
    region: str
    existing_vpc: FoundVpc | None = None
    """None if the stack creates its own VPC."""
    clients: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    """The named clients of each model, by the model's name. Empty if the stack has no named clients."""
    outputs: Mapping[str, Any]
    """The stack's outputs. Secrets are unwrapped, so do not print them."""
    log: Sequence[LogLine] = ()
    """The lines that the program and the SDK wrote to Pulumi's log, without those of the checks."""
    refusal: pulumi.RunError | None = None
    """Why the program stopped before it registered anything, or None if it completed."""

    def of_type(self, type_: str) -> list[Registration]:
        """Return the registrations of one resource type, in order."""
        return [one for one in self.registrations if one.type == type_]


SEVERITIES: Mapping[int, Literal["debug", "info", "warning", "error"]] = {
    logging.DEBUG: "debug",
    logging.INFO: "info",
    logging.WARNING: "warning",
    logging.ERROR: "error",
}
"""The levels of Pulumi's mock engine, with their names in Pulumi's log."""


class _Log(logging.Handler):
    """Collects Pulumi's log, which the preview shows in its own place."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[LogLine] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Record one line."""
        self.lines.append(LogLine(severity=SEVERITIES[record.levelno], text=record.getMessage()))

    def logger(self) -> logging.Logger:
        """Return a logger that only writes here, and drops debug messages."""
        logger = logging.Logger("vllm-eks.offline", logging.INFO)
        logger.addHandler(self)
        return logger

    def beside(self, checks: Sequence[Check]) -> list[LogLine]:
        """Return the lines that are not from the checks."""
        said = {line.text for line in check_lines(checks)}
        return [line for line in self.lines if line.text not in said]


def answer_no_call(call: MockCallArgs) -> dict[str, Any]:
    """Answer no call of the checks.

    Raises:
        CallFailedError: Always. The check's result is then unknown.
    """
    raise CallFailedError(OFFLINE_REASON)


def record(folder: Path, stack_file: StackFile, answer: Answer = answer_no_call) -> Recording:
    """Run the program of a project folder to its end, against the mock cloud.

    Raises:
        pulumi.RunError: A check failed, such as a plan that does not fit, or the stack file has errors.
    """
    recording = run_program(folder, stack_file, answer)
    if recording.refusal:
        raise recording.refusal
    return recording


def run_program(folder: Path, stack_file: StackFile, answer: Answer = answer_no_call) -> Recording:
    """Run the program of a project folder against the mock cloud. A refusal ends it early.

    Args:
        folder: The folder with Pulumi.yaml and the program.
        stack_file: The stack's configuration.
        answer: Answers the program's calls to the cloud. By default none is answered.

    Raises:
        pulumi.RunError: An error of the program other than a refusal, such as errors in the stack file.
    """
    monitor = RecordingMonitor(OfflineMocks(answer=answer))
    log = _Log()
    set_engine(monitor, project=stack_file.project, stack=stack_file.stack, logger=log.logger())
    pulumi.runtime.set_all_config(stack_file.config, stack_file.secret_keys)
    outputs: dict[str, Any] = {}

    def run() -> pulumi.Output[None]:
        # Exports are collected on the root resource, which the mock engine creates once in a process.
        root = get_root_resource()
        exports = root.outputs if isinstance(root, Stack) else {}
        exports.clear()
        # As in Pulumi, the folder's own packages come first in Python's path.
        runpy.run_path(str(folder.resolve()), run_name="__main__")
        exported = pulumi.Output.from_input(dict(exports))
        # Returned, so that the engine waits for it. Otherwise the outputs would not be registered.
        return exported.apply(outputs.update)

    refusal = None
    with published_stacks() as published, contextlib.chdir(folder):
        try:
            pulumi.runtime.test(run)()  # pyright: ignore[reportUnknownMemberType]  (untyped)
        except pulumi.RunError as error:
            if not any(check.status == "failed" for planned in published for check in planned.checks):
                raise
            refusal = error
    (planned,) = published
    return Recording(
        # Registrations arrive in a different order on each run.
        registrations=sorted(monitor.registrations, key=lambda one: (one.name, one.urn)),
        fleet=planned.fleet,
        checks=planned.checks,
        region=planned.region,
        existing_vpc=planned.existing_vpc,
        clients=planned.clients,
        outputs=outputs,
        log=log.beside(planned.checks),
        refusal=refusal,
    )
