"""The engine all component tests run in: every registration is kept, every unanswered question is an error."""

import gc
import os
import shutil
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from inspect import isawaitable
from pathlib import Path

import hypothesis
import pulumi
import pytest
from pulumi.runtime.proto import source_pb2

from tests.support.no_network import close_sockets
from vllm_eks.preview.mock_cloud import RecordingMonitor, Registration
from vllm_eks.preview.recording import Recording, record
from vllm_eks.stack_files import read as stack_file
from vllm_eks.stack_files.read import read_stack_file

ROOT = Path(__file__).parent.parent

close_sockets()

# What moto and the SDKs load lives as long as the process: looking through all of it often is a third of the time.
gc.set_threshold(500_000, 50, 1000)


def pytest_collection_finish() -> None:
    """Keep what imports made out of every later look for garbage."""
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    """Look for garbage once: pytest's own five looks, and Python's at its end, then find nothing more to go through."""
    gc.collect()
    gc.freeze()


# Where each resource was written is of no use here, and pytest's deep stack makes it a fifth of a run.
pulumi.runtime.resource._get_stack_trace = source_pb2.StackTrace

# Each stack file is read beside the project's own file, which takes the parser longer than most of them do.
_PROJECT = (ROOT / "Pulumi.yaml").read_text()
_parse, _project = stack_file.parse_document, stack_file.parse_document(_PROJECT)
stack_file.parse_document = lambda text: deepcopy(_project) if text == _PROJECT else _parse(text)

# Nobody asks for an image, and moto makes a thousand of them for each region of each test.
os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"

# How long an example takes says nothing about the planner on a machine that does other things too.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")


@dataclass(frozen=True)
class Engine:
    """A mock engine to run one program in, and what it saw."""

    monitor: RecordingMonitor

    def run(self, program: Callable[[], object]) -> None:
        """Run a program to the end: every registration done, every output resolved."""

        def returning_no_resource() -> object:
            result = program()
            return result if isawaitable(result) else None

        pulumi.runtime.test(returning_no_resource)()

    def value(self, program: Callable[[], pulumi.Output]) -> object:
        """Run a program and return the value of the output it gives."""
        seen = []
        pulumi.runtime.test(lambda: program().apply(seen.append))()
        (value,) = seen
        return value

    @property
    def registrations(self) -> list[Registration]:
        return self.monitor.registrations

    def of_type(self, type_: str) -> list[Registration]:
        return [one for one in self.registrations if one.type == type_]

    def only(self, type_: str) -> Registration:
        (registration,) = self.of_type(type_)
        return registration

    def named(self, name: str, type_: str) -> Registration:
        (registration,) = [one for one in self.of_type(type_) if one.name == name]
        return registration

    def children(self) -> dict[str, set[str]]:
        """Return the names of each component's children as `Type name`, under the component's name."""
        found: dict[str, set[str]] = {}
        for one in self.registrations:
            # The stack's own resource keeps the name of the first one that this process ran.
            is_top = one.parent.split("::")[2:3] == ["pulumi:pulumi:Stack"]
            parent = "vllm-eks-test" if is_top else one.parent.rpartition("::")[2]
            found.setdefault(parent, set()).add(f"{one.type.rpartition(':')[2]} {one.name}")
        return found


@pytest.fixture
def start_engine(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Engine]:
    """A fresh engine at each call, for tests that compare two runs."""
    monkeypatch.setenv("PULUMI_ERROR_OUTPUT_STRING", "true")

    def start() -> Engine:
        monitor = RecordingMonitor()
        pulumi.runtime.set_mocks(monitor.mocks, "vllm-eks", "test", preview=False, monitor=monitor)
        return Engine(monitor)

    return start


@pytest.fixture
def engine(start_engine: Callable[[], Engine]) -> Engine:
    return start_engine()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project's own Pulumi.yaml, and nothing else that a path of a stack file could name."""
    shutil.copy(ROOT / "Pulumi.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def moto_account() -> Iterator[None]:
    """An AWS account of moto's for one module, and no credentials but its own."""
    from moto import mock_aws  # loaded only where it is needed: it takes seconds

    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.delenv("AWS_PROFILE", raising=False)
        yield


@pytest.fixture(scope="session")
def recorded_stack() -> Callable[[str], Recording]:
    """What the program registers for a stack file of the project, recorded once; to be looked at only."""
    return cache(lambda stack: record(ROOT, read_stack_file(ROOT, stack).for_offline_preview()))
