"""Formulas for parameters whose sizes follow from a config.json by arithmetic, as text in data/towers.json.

A formula has numbers, fields of the config.json (`vision_config.hidden_size`), `text.` fields of the decoder under our
names, `+ - * // /`, `or` for a field that may be absent, `a if b else c`, `>`, and functions of the same file.
"""

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from vllm_eks.json_values import is_list, is_object, shown
from vllm_eks.planner.models.counts import LARGEST_NUMBER

Number = int | float
LENGTH = "length"
"""The function that counts the entries of a list."""


class MissingFieldError(Exception):
    """A formula names a field that the config.json does not have."""


class WrongValueError(Exception):
    """A field of a formula has a value that is no size, or the sizes together give no number."""


class WrongFormulaError(Exception):
    """A formula has something that is not arithmetic, or a function that the file does not have."""


class Formulas:
    """Evaluates formulas over the fields of one config.json."""

    def __init__(
        self, functions: Mapping[str, str], sections: Iterable[Mapping[str, Any]], text: Mapping[str, Any]
    ) -> None:
        """Prepare to evaluate.

        Args:
            functions: Signature -> body, such as "mlp(w, f)" -> "2 * w * f".
            sections: The config.json and the sections that lead to its decoder.
            text: The decoder's fields under our names.
        """
        self._functions = {_signature(head).func: (_signature(head).names, body) for head, body in functions.items()}
        self._sections = tuple(sections)
        self._text = text

    def value(self, formula: str) -> int:
        """Return the value of a formula, rounded to a whole number.

        Raises:
            MissingFieldError: The config.json lacks a field.
            WrongValueError: A field is no size, or the formula divides by one that is 0.
            WrongFormulaError: The formula is not arithmetic.
        """
        try:
            return round(self._number(_parsed(formula), {}))
        except (OverflowError, ZeroDivisionError) as error:
            raise WrongValueError("fields whose sizes give no number") from error

    def _number(self, node: ast.expr, names: Mapping[str, Number]) -> Number:
        match node:
            case ast.Constant(value=int() | float() as value):
                return value
            case ast.Name(id=name) if name in names:
                return names[name]
            case ast.Name() | ast.Attribute():
                return self._field(node)
            case ast.BinOp(left=left, op=op, right=right):
                return _applied(op, self._number(left, names), self._number(right, names))
            case ast.BoolOp(op=ast.Or(), values=values):
                return self._first(values, names)
            case ast.IfExp(test=test, body=body, orelse=other):
                return self._number(body if self._first([test], names) else other, names)
            case ast.Compare(left=left, ops=[ast.Gt()], comparators=[right]):
                return int(self._number(left, names) > self._number(right, names))
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return self._call(name, arguments, names)
            case _:
                raise WrongFormulaError(ast.unparse(node))

    def _first(self, nodes: Iterable[ast.expr], names: Mapping[str, Number]) -> Number:
        """Return the first value that is not 0, where an absent field counts as 0."""
        for node in nodes:
            try:
                if found := self._number(node, names):
                    return found
            except MissingFieldError:
                continue
        return 0

    def _call(self, name: str, arguments: list[ast.expr], names: Mapping[str, Number]) -> Number:
        if name == LENGTH:
            found = self._raw(arguments[0])
            return len(found) if is_list(found) else 0
        if name not in self._functions:
            raise WrongFormulaError(f"there is no function {name}")
        parameters, body = self._functions[name]
        values = (self._number(argument, names) for argument in arguments)
        return self._number(_parsed(body), dict(zip(parameters, values, strict=True)))

    def _field(self, node: ast.expr) -> Number:
        found = self._raw(node)
        if is_list(found):
            found = next((item for item in found if isinstance(item, int)), None)
        if found is None or not isinstance(found, int | float):
            raise MissingFieldError(ast.unparse(node))
        if not 0 <= found <= LARGEST_NUMBER:
            raise WrongValueError(f"{ast.unparse(node)} {shown(found)}")
        return found

    def _raw(self, node: ast.expr) -> object:
        path = ast.unparse(node).split(".")
        if path[0] == "text":
            return self._text.get(path[1])
        return next((found for one in self._sections if (found := _at(one, path)) is not None), None)


def _applied(op: ast.operator, left: Number, right: Number) -> Number:
    match op:
        case ast.Add():
            return left + right
        case ast.Sub():
            return left - right
        case ast.Mult():
            return left * right
        case ast.Div():
            return left / right
        case ast.FloorDiv():
            return left // right
        case ast.Pow():
            return left**right
        case _:
            raise WrongFormulaError(type(op).__name__)


def _at(section: Mapping[str, Any], path: list[str]) -> object:
    found: object = section
    for name in path:
        found = found.get(name) if is_object(found) else None
    return found


def _parsed(formula: str) -> ast.expr:
    return ast.parse(formula, mode="eval").body


@dataclass(frozen=True)
class _Signature:
    func: str
    names: list[str]


def _signature(head: str) -> _Signature:
    name, _, rest = head.partition("(")
    return _Signature(name, [one.strip() for one in rest.rstrip(")").split(",") if one.strip()])
