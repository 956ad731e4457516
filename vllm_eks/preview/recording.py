"""Run the real `__main__.py` in an embedded engine: Pulumi's mock monitor, with every registration kept."""

import contextlib
import logging
import runpy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pulumi
from pulumi.runtime import get_root_resource
from pulumi.runtime.mocks import MockCallArgs
from pulumi.runtime.stack import Stack

from vllm_eks.check import NOBODY_TO_ASK, Check, LogLine, check_lines
from vllm_eks.planner.search.gpu_nodes import GpuNodes
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
    """What one run of the program planned, checked and registered."""

    registrations: Sequence[Registration]
    fleet: Mapping[str, GpuNodes]
    checks: Sequence[Check]
    region: str
    existing_vpc: FoundVpc | None = None
    """None: the stack makes its own."""
    outputs: Mapping[str, Any]
    """The stack's outputs; secrets are opened: do not print them."""
    log: Sequence[LogLine] = ()
    """What the program and the SDK wrote to Pulumi's log, in order, without what the checks say already."""
    refusal: pulumi.RunError | None = None
    """Why the program ended before anything was registered; None: it ran to its end."""

    def of_type(self, type_: str) -> list[Registration]:
        """Return the registrations of one resource type, in order."""
        return [one for one in self.registrations if one.type == type_]


SEVERITIES: Mapping[int, Literal["debug", "info", "warning", "error"]] = {
    logging.DEBUG: "debug",
    logging.INFO: "info",
    logging.WARNING: "warning",
    logging.ERROR: "error",
}
"""The levels at which Pulumi's mock engine writes, by their names in Pulumi's log."""


class _Log(logging.Handler):
    """Keeps what is written to Pulumi's log: the preview shows it in its own place."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[LogLine] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line."""
        self.lines.append(LogLine(severity=SEVERITIES[record.levelno], text=record.getMessage()))

    def logger(self) -> logging.Logger:
        """Return a logger that writes here and nowhere else, and nothing for debugging."""
        logger = logging.Logger("vllm-eks.offline", logging.INFO)
        logger.addHandler(self)
        return logger

    def beside(self, checks: Sequence[Check]) -> list[LogLine]:
        """Return the lines that no check says already."""
        said = {line.text for line in check_lines(checks)}
        return [line for line in self.lines if line.text not in said]


def ask_nobody(call: MockCallArgs) -> dict[str, Any]:
    """Answer no question of the program's checks.

    Raises:
        CallFailedError: Always; the check then says what it does not know.
    """
    raise CallFailedError(NOBODY_TO_ASK)


def record(folder: Path, stack_file: StackFile, answer: Answer = ask_nobody) -> Recording:
    """Run the program of a project folder against a cloud that is not there, to its end.

    Raises:
        pulumi.RunError: A check failed, such as a plan that does not fit; or the stack file has errors.
    """
    recording = run_program(folder, stack_file, answer)
    if recording.refusal:
        raise recording.refusal
    return recording


def run_program(folder: Path, stack_file: StackFile, answer: Answer = ask_nobody) -> Recording:
    """Run the program of a project folder against a cloud that is not there; a refusal ends it early.

    Args:
        folder: The folder that holds Pulumi.yaml and the program.
        stack_file: The stack's configuration.
        answer: What the program's questions to the cloud get; nobody is asked by default.

    Raises:
        pulumi.RunError: What the program itself raises, but for a refusal: errors of the stack file.
    """
    monitor = RecordingMonitor(OfflineMocks(answer=answer))
    log = _Log()
    pulumi.runtime.set_mocks(
        monitor.mocks,
        project=stack_file.project,
        stack=stack_file.stack,
        preview=False,
        monitor=monitor,
        logger=log.logger(),
    )
    pulumi.runtime.set_all_config(stack_file.config, stack_file.secret_keys)
    outputs: dict[str, Any] = {}

    def run() -> pulumi.Output[None]:
        # A folder is run as Pulumi runs it: its own packages are the first that Python finds.
        runpy.run_path(str(folder.resolve()), run_name="__main__")
        # Exports gather on the root resource, which the mock engine has made before the program ran.
        root = get_root_resource()
        exported = pulumi.Output.from_input(dict(root.outputs) if isinstance(root, Stack) else {})
        # Given back, so that it is waited for: nothing is registered with the outputs that would be.
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
        # They arrive as their inputs do, in another order at each run.
        registrations=sorted(monitor.registrations, key=lambda one: (one.name, one.urn)),
        fleet=planned.fleet,
        checks=planned.checks,
        region=planned.region,
        existing_vpc=planned.existing_vpc,
        outputs=outputs,
        log=log.beside(planned.checks),
        refusal=refusal,
    )
