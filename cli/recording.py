"""Run the real `__main__.py` in an embedded engine: Pulumi's mock monitor, with every registration kept."""

import contextlib
import logging
import runpy
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
from pulumi.runtime import get_root_resource
from pulumi.runtime.mocks import MockCallArgs

from checks.asking import NOBODY_TO_ASK
from checks.result import Check
from cli.mock_cloud import Answer, CallFailedError, OfflineMocks, RecordingMonitor, Registration
from config.stack_file import StackFile
from planner.gpu_nodes import GpuNodes


@dataclass(frozen=True, kw_only=True)
class Recording:
    """What one run of the program planned, checked and registered."""

    registrations: Sequence[Registration]
    fleet: Mapping[str, GpuNodes]
    checks: Sequence[Check]
    region: str
    vpc_id: str | None = None
    """Of an existing network."""
    private_subnets: Mapping[str, str] | None = None
    """Zone -> id of an existing network's subnet."""
    outputs: Mapping[str, Any]
    """The stack's outputs; secrets are opened: do not print them."""

    def of_type(self, type_: str) -> list[Registration]:
        """Return the registrations of one resource type, in order."""
        return [one for one in self.registrations if one.type == type_]


def _silent_logger() -> logging.Logger:
    """Return a logger that keeps Pulumi's log to itself: the preview shows every check in its own place."""
    logger = logging.getLogger("vllm-eks.offline")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    return logger


def ask_nobody(call: MockCallArgs) -> dict[str, Any]:
    """Answer no question of the program's checks.

    Raises:
        CallFailedError: Always; the check then says what it does not know.
    """
    raise CallFailedError(NOBODY_TO_ASK)


def record(folder: Path, stack_file: StackFile, answer: Answer = ask_nobody) -> Recording:
    """Run the program of a project folder against a cloud that is not there.

    Args:
        folder: The folder that holds Pulumi.yaml and the program.
        stack_file: The stack's configuration.
        answer: What the program's questions to the cloud get; nobody is asked by default.

    Raises:
        pulumi.RunError: What the program itself raises: faults of the stack file, or a plan that does not fit.
    """
    monitor = RecordingMonitor(OfflineMocks(answer=answer))
    pulumi.runtime.set_mocks(
        monitor.mocks,
        project=stack_file.project,
        stack=stack_file.stack,
        preview=False,
        monitor=monitor,
        logger=_silent_logger(),
    )
    pulumi.runtime.set_all_config(stack_file.config, stack_file.secret_keys)
    program: dict[str, Any] = {}
    outputs: dict[str, Any] = {}

    def run_program() -> pulumi.Output[None]:
        program.update(runpy.run_path(str(folder / "__main__.py"), run_name="__main__"))
        # Exports gather on the root resource, which the mock engine has made before the program ran.
        exported = dict(get_root_resource().outputs)  # type: ignore[union-attr]
        # Given back, so that it is waited for: nothing is registered with the outputs that would be.
        return pulumi.Output.from_input(exported).apply(outputs.update)

    # As Pulumi does: the program's folder is the working folder and the first place to import from.
    folder = folder.resolve()
    sys.path.insert(0, str(folder))
    try:
        with contextlib.chdir(folder):
            pulumi.runtime.test(run_program)()
    finally:
        sys.path.remove(str(folder))
    return Recording(
        # They arrive as their inputs do, in another order at each run.
        registrations=sorted(monitor.registrations, key=lambda one: (one.name, one.urn)),
        fleet=program["fleet"],
        checks=program["found"].checks,
        region=program["region"],
        vpc_id=program["found"].vpc_id,
        private_subnets=program["found"].private_subnets,
        outputs=outputs,
    )
