"""Checks the answers of fakes against botocore's model of the service.

A misspelled key, a value of another type or an unknown status makes the test fail at the fake.
"""

from collections.abc import Mapping
from typing import Any

from botocore.model import Shape
from botocore.validate import ParamValidator


def must_fit(value: Mapping[str, Any], shape: Shape | None, what: str) -> None:
    """Fail if a value does not match a shape of the model, for a response or a request."""
    if shape is None:
        assert not value, f"{what} answers nothing"
        return
    report = ParamValidator().validate(value, shape)
    assert not report.has_errors(), f"{what}: {report.generate_report()}"
    wrong = list(_beyond_enums(value, shape, what))
    assert not wrong, wrong


def _beyond_enums(value: Any, shape: Any, where: str) -> list[str]:
    """Return the texts that are not in an enumeration of the model, which botocore itself does not check."""
    parts: list[tuple[Any, Any, str]] = []
    if shape.type_name == "structure":
        parts = [(value[key], member, f"{where}.{key}") for key, member in shape.members.items() if key in value]
    elif shape.type_name == "list":
        parts = [(one, shape.member, where) for one in value]
    elif shape.type_name == "map":
        parts = [(one, shape.value, where) for one in value.values()]
    elif shape.type_name == "string" and shape.enum and value not in shape.enum:
        return [f"{where}: {value!r} is none of {shape.enum}"]
    return [wrong for part in parts for wrong in _beyond_enums(*part)]
