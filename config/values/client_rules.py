"""Checks names and keys of clients. No message contains a key."""

import re

MAX_NAME_LENGTH = 40
CLIENT_NAME = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")
RESERVED_NAMES = {
    "default": "the metrics' name for the clients of apiKey",
    "unknown": "the metrics' name for requests without a valid key",
}
SHORTEST_KEY = 16
"""Characters. Half of the 32 hexadecimal digits of a random 128-bit key, as a lower limit."""
VISIBLE = re.compile(r"[!-~]*")
"""The characters of an HTTP header without spaces (RFC 9110, VCHAR)."""


def client_name(value: str) -> str:
    """Accept the name of a client, which is a label of metrics and a part of a Secret's key."""
    if value in RESERVED_NAMES:
        raise ValueError(f"{value!r} is {RESERVED_NAMES[value]}: use another name")
    if not CLIENT_NAME.fullmatch(value) or len(value) > MAX_NAME_LENGTH:
        raise ValueError(
            f"{value!r} is not a valid client name: use lower-case letters, digits and -, beginning with a letter and "
            f"not ending with -, at most {MAX_NAME_LENGTH} characters"
        )
    return value


def some_models(value: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse a list without models."""
    if not value:
        raise ValueError("is empty, so the client could use no model: list one, or remove the client's key")
    return value


def client_key(value: str) -> str:
    """Accept a key that clients can send, and that cannot be guessed from its digest."""
    if not value:
        raise ValueError("is empty")
    if value != value.strip():
        raise ValueError("begins or ends with a space or a line break")
    if not value.isascii():
        raise ValueError("has a character that is not ASCII, which an HTTP header cannot carry")
    if not VISIBLE.fullmatch(value):
        raise ValueError("has a space or a control character, which an HTTP header cannot carry")
    if len(value) < SHORTEST_KEY:
        raise ValueError(
            f"has fewer than {SHORTEST_KEY} characters, so it could be guessed: use a random key, such as the output "
            f"of openssl rand -hex 24"
        )
    return value
