"""Parses a plain YAML scalar as Pulumi does: text, a number, a boolean or null.

Pulumi reads stack files with gopkg.in/yaml.v3, whose rules (resolve.go of 3.0.1) are between YAML 1.1 and 1.2. Values
that it reads in a surprising way (a leading zero is octal, a date becomes `2024-01-01 00:00:00 +0000 UTC`) are refused
and need quotes. `tests/data/pulumi_yaml` records Pulumi's results.
"""

import re

NULLS = frozenset(("", "~", "null", "Null", "NULL"))
BOOLS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
DATE = re.compile(r"\d{4}-\d{1,2}-\d{1,2}([Tt ].*)?")

DIGITS = r"(0|[1-9][0-9]*(_[0-9]+)*)"
DECIMAL = re.compile(rf"[-+]?{DIGITS}")
PREFIXED = re.compile(r"[-+]?0([xX](_?[0-9a-fA-F])+|[oO](_?[0-7])+|[bB](_?[01])+)")
FLOAT = re.compile(rf"[-+]?({DIGITS}(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")
# Numbers in yaml.v3, without underscores.
ANY_NUMBER = re.compile(
    r"[-+]?(0[xX][0-9a-fA-F]+|0[oO][-+]?[0-7]+|0[bB][-+]?[01]+|([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?)"
)
OCTAL = re.compile(r"[-+]?0[0-7]+")

LARGEST_NUMBER = 2**63
"""yaml.v3 rounds whole numbers from this value on."""


def resolve_plain(text: str) -> object:
    """Return the value of an unquoted scalar.

    Raises:
        ValueError: Pulumi refuses it or reads it in a surprising way. The text is for the report.
    """
    if text in NULLS:
        return None
    if text in BOOLS:
        return BOOLS[text]
    if NOT_FINITE.fullmatch(text):
        raise ValueError(f"{text} is a number that Pulumi cannot pass on: use a finite number, or put it in quotes")
    if DATE.fullmatch(text):
        raise ValueError(f"{text} is a date in YAML, and Pulumi reformats dates: put it in quotes")
    if not ANY_NUMBER.fullmatch(text.replace("_", "")):
        return text
    return _number(text)


def resolve_tagged(tag: str, text: str) -> object:
    """Return the value of a scalar with one of YAML's own tags (`str`, `int`, `float`, `bool`, `null`).

    Raises:
        ValueError: The text does not match the tag, or the tag is unknown.
    """
    if tag == "str":
        return text
    kinds: dict[str, type | tuple[type, ...]] = {
        "int": int,
        "float": (int, float),
        "bool": bool,
        "null": type(None),
    }
    if tag not in kinds:
        raise ValueError(f"the tag {tag if tag.startswith('!') else f'!!{tag}'} is not supported: remove it")
    value = resolve_plain(text)
    if not isinstance(value, kinds[tag]) or (tag in ("int", "float") and isinstance(value, bool)):
        raise ValueError(f"{text!r} is not a valid !!{tag}: correct the value, or remove the tag")
    return float(value) if tag == "float" and isinstance(value, int) else value


def resolve_key(text: str, value: object) -> str:
    """Return a mapping's key as Pulumi writes it, which must equal its spelling in the file.

    Raises:
        ValueError: Pulumi would change it (`1.30` to 1.3).
    """
    if isinstance(value, str):
        return value
    written = "nothing" if value is None else plain_text(value)
    if written != text:
        raise ValueError(f"the key {text or '(empty)'} is read as {written}: put it in quotes")
    return text


def plain_text(value: object) -> str:
    """Return a number or a boolean as Go writes it.

    >>> plain_text(1.50), plain_text(1e-7), plain_text(True), plain_text(1000.0)
    ('1.5', '1e-7', 'true', '1000')
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    # Python writes the exponent with two digits.
    return re.sub(r"e([-+])0(\d)$", r"e\1\2", str(value))


def _number(text: str) -> object:
    plain = text.replace("_", "")
    if DECIMAL.fullmatch(text) or PREFIXED.fullmatch(text):
        # Longer numbers are not parsed, because Python refuses more than 4,300 digits.
        value = LARGEST_NUMBER if len(plain) > 100 else int(plain, 0 if plain[:1] == "0" else 10)
        if abs(value) >= LARGEST_NUMBER:
            raise ValueError(
                f"{shorten(text)} is too large for a number: use a smaller one, or put it in quotes if it is text"
            )
        return value
    if FLOAT.fullmatch(text):
        number = float(plain)
        if abs(number) == float("inf"):
            raise ValueError(
                f"{shorten(text)} is too large for a number: use a smaller one, or put it in quotes if it is text"
            )
        return number
    if OCTAL.fullmatch(plain) and len(plain) < 50:
        why = f"has a leading zero, and Pulumi reads it as the octal number {int(plain, 8)}"
    elif plain.lstrip("+-").startswith("0"):
        why = "has a leading zero, which Pulumi drops"
    else:
        why = "is an unusual way to write a number"
    raise ValueError(f"{shorten(text)} {why}: put it in quotes if it is text, or write it as a plain number")


def shorten(text: str) -> str:
    """Return a text for an error message, shortened if it is long."""
    return text if len(text) <= 60 else f"{text[:60]}... ({len(text)} characters)"
