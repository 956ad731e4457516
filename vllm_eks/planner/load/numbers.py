"""Numbers in text: with some significant digits, or as someone wrote them. Never in scientific notation."""

from math import floor, isfinite, log10

MOST_PLACES = 12
"""After the point, of a number that is shown whole."""


def significant(value: float, digits: int) -> str:
    """Return a number with some significant digits, never in scientific notation.

    >>> significant(1_234_567, 3), significant(0.01234, 3), significant(0, 3)
    ('1,230,000', '0.0123', '0')
    """
    if not value:
        return "0"
    places = digits - 1 - floor(log10(abs(value)))
    number = f"{round(value, places):,.{max(0, places)}f}"
    return number.rstrip("0").rstrip(".") if "." in number else number


def plain(value: float | str) -> str:
    """Return a number as it was written, or with all its digits.

    >>> plain(2_000_000), plain(1e-9), plain(4.5), plain("9e2")
    ('2,000,000', '0.000000001', '4.5', '9e2')
    """
    if isinstance(value, str):
        return value
    if not isfinite(value):
        return str(value)
    number = f"{value:,.{MOST_PLACES}f}"
    return number.rstrip("0").rstrip(".")


def digits(value: float) -> str:
    """Return a number as an option takes it.

    >>> digits(2_000_000), digits(0.25)
    ('2000000', '0.25')
    """
    return plain(value).replace(",", "")
