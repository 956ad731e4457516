"""The program in a project folder: `__main__.py` and its packages, which this package never imports by name.

Two interfaces connect them. The program's `config` checks a stack file, and a run of `__main__.py` publishes its plan
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
    """The interface of the program's `config.checked_stack`."""

    def check_stack(self, given: StackFile) -> object:
        """Check all of a stack's configuration.

        Raises:
            WrongQuestion: It has errors. The message has a line for each.
        """


def check_stack_file(folder: Path, file: StackFile) -> None:
    """Check a stack file with the program in a folder. This does not load Pulumi's SDK, so it takes less than a second.

    Raises:
        WrongQuestion: The stack file has errors, or there is no program.
    """
    checked = cast(CheckedConfig, _program_module(folder, "config.checked_stack"))
    # As in Pulumi: a model's folder is relative to the stack file.
    with contextlib.chdir(folder):
        checked.check_stack(file)


def _program_module(folder: Path, name: str) -> ModuleType:
    """Import a module of the program from its folder, or else from Python's path.

    Raises:
        WrongQuestion: It is in neither.
    """
    package = name.partition(".")[0]
    spec = PathFinder.find_spec(package, [str(folder.resolve())])
    if package not in sys.modules and spec and spec.loader:
        # Submodules are found through the package's own path, so sys.path stays unchanged.
        sys.modules[package] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules[package])
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name not in (package, name):
            raise
        raise WrongQuestion(
            f"{folder.resolve()} does not contain the vllm-eks program ({package}/, __main__.py): run this command in "
            f"a checkout of vllm-eks, or set --folder"
        ) from None
