"""The program in a project folder: `__main__.py` and its rooms, which this package never imports by name.

Two borders join them: the program's `config` checks a stack file, and a run of `__main__.py` publishes what it planned
(`vllm_eks.preview.planned_stack`). Commands that plan without a stack need neither.
"""

import contextlib
import sys
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path
from types import ModuleType
from typing import Protocol, cast

from vllm_eks.errors import WrongQuestion
from vllm_eks.stack_files.stack_file import StackFile


class CheckedConfig(Protocol):
    """What the program's `config.checked_stack` offers."""

    def check_stack(self, given: StackFile) -> object:
        """Check all of a stack's configuration.

        Raises:
            WrongQuestion: It has errors; the message has a line for each.
        """


def check_stack_file(folder: Path, file: StackFile) -> None:
    """Let the program of a folder check a stack file; without Pulumi's SDK, so within a second.

    Raises:
        WrongQuestion: The stack file has errors, or there is no program.
    """
    checked = cast(CheckedConfig, _program_module(folder, "config.checked_stack"))
    # As Pulumi runs the program: a model's folder stands beside the stack file.
    with contextlib.chdir(folder):
        checked.check_stack(file)


def _program_module(folder: Path, name: str) -> ModuleType:
    """Import a module of the program from its folder, else from where Python looks.

    Raises:
        WrongQuestion: Neither has it.
    """
    package = name.partition(".")[0]
    spec = PathFinder.find_spec(package, [str(folder.resolve())])
    if package not in sys.modules and spec and spec.loader:
        # Submodules are found by the package's own path, so the places where Python looks stay as they are.
        sys.modules[package] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules[package])
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name not in (package, name):
            raise
        raise WrongQuestion(
            f"{folder.resolve()} does not hold the vllm-eks program ({package}/, __main__.py): run this command in a "
            "checkout of vllm-eks, or give its folder with --folder"
        ) from None
