"""The mock engine of all component tests: it records every registration, and an unanswered call is an error."""

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
from vllm_eks.preview.embedded_engine import set_engine
from vllm_eks.preview.mock_cloud import RecordingMonitor, Registration
from vllm_eks.preview.recording import Recording, record
from vllm_eks.stack_files import read as stack_file
from vllm_eks.stack_files.read import read_stack_file

ROOT = Path(__file__).parent.parent

close_sockets()

# Objects of moto and the SDKs live as long as the process, and scanning them often takes a third of the time.
gc.set_threshold(500_000, 50, 1000)


def pytest_collection_finish() -> None:
    """Exclude objects that imports created from later garbage collection."""
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    """Collect garbage once, so that pytest's five collections and Python's last one have nothing left to scan."""
    gc.collect()
    gc.freeze()


# The source of each resource is not needed here, and pytest's deep stack makes it a fifth of the run time.
pulumi.runtime.resource._get_stack_trace = source_pb2.StackTrace

# Each stack file is read together with the project's own file, which takes the parser longer than most of them.
_PROJECT = (ROOT / "Pulumi.yaml").read_text()
_parse, _project = stack_file.parse_document, stack_file.parse_document(_PROJECT)
stack_file.parse_document = lambda text: deepcopy(_project) if text == _PROJECT else _parse(text)

# Images are not needed, and moto creates a thousand of them for each region of each test.
os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"

# On a busy machine, the time of an example says nothing about the planner.
# The same examples in each run, so that a change is never refused for a fault that was there before. make search draws
# other ones, and more of them.
hypothesis.settings.register_profile("same", deadline=None, derandomize=True)
hypothesis.settings.register_profile("search", deadline=None, max_examples=1000)
hypothesis.settings.load_profile("same")


@dataclass(frozen=True)
class Engine:
    """A mock engine to run one program in, with the registrations."""

    monitor: RecordingMonitor

    def run(self, program: Callable[[], object]) -> None:
        """Run a program until every registration is done and every output is resolved."""

        def returning_no_resource() -> object:
            result = program()
            return result if isawaitable(result) else None

        pulumi.runtime.test(returning_no_resource)()

    def value(self, program: Callable[[], pulumi.Output]) -> object:
        """Run a program and return the value of its output."""
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
            # The stack's own resource keeps the name of the first stack in this process.
            is_top = one.parent.split("::")[2:3] == ["pulumi:pulumi:Stack"]
            parent = "vllm-eks-test" if is_top else one.parent.rpartition("::")[2]
            found.setdefault(parent, set()).add(f"{one.type.rpartition(':')[2]} {one.name}")
        return found


@pytest.fixture
def start_engine(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Engine]:
    """A function that returns a new engine, for tests that compare two runs."""
    monkeypatch.setenv("PULUMI_ERROR_OUTPUT_STRING", "true")

    def start() -> Engine:
        monitor = RecordingMonitor()
        set_engine(monitor, project="vllm-eks", stack="test")
        return Engine(monitor)

    return start


@pytest.fixture
def engine(start_engine: Callable[[], Engine]) -> Engine:
    return start_engine()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project's own Pulumi.yaml, without other files that a path in a stack file could refer to."""
    shutil.copy(ROOT / "Pulumi.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def moto_account() -> Iterator[None]:
    """One moto account for a module, with its own credentials only."""
    from moto import mock_aws  # imported only when needed, because it takes seconds

    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.delenv("AWS_PROFILE", raising=False)
        yield


@pytest.fixture(scope="session")
def recorded_stack() -> Callable[[str], Recording]:
    """The program's registrations for a stack file of the project, recorded once and read-only."""
    return cache(lambda stack: record(ROOT, read_stack_file(ROOT, stack).for_offline_preview()))
