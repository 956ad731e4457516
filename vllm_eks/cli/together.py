"""Checks the options of a command together, so that all errors are reported at once."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from vllm_eks.errors import WrongQuestion, raise_together

Value = TypeVar("Value")


@dataclass(frozen=True)
class Checked(Generic[Value]):
    """The value of a check that may have failed."""

    _values: tuple[Value, ...]

    @property
    def is_right(self) -> bool:
        """Whether there is a value."""
        return bool(self._values)

    @property
    def value(self) -> Value:
        """The value. Read it after `Checks.end`."""
        return self._values[0]


class Checks:
    """Runs checks, and raises their errors together."""

    def __init__(self) -> None:
        self._errors: list[str] = []

    def run(self, check: Callable[[], Value]) -> Checked[Value]:
        """Run a check, and keep its error."""
        try:
            return Checked((check(),))
        except WrongQuestion as error:
            self._errors.append(str(error))
            return Checked(())

    def add(self, errors: Iterable[str]) -> None:
        """Keep errors."""
        self._errors += errors

    def end(self) -> None:
        """Raise the errors of all checks.

        Raises:
            WrongQuestion: There are some.
        """
        raise_together(self._errors)
