"""Reads text files from users, with a size limit and a clear error in one sentence."""

import re
import stat
from pathlib import Path

from vllm_eks.errors import WrongQuestion

BRACKETS = re.compile(r"[\[\]{}]")
UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")


class UnreadableFile(WrongQuestion):
    """A file cannot be read. The message begins with its name."""


def read_text_file(path: Path, *, called: str, most_bytes: int) -> str:
    """Return the text of a UTF-8 file, without a byte order mark.

    Args:
        path: The file. Devices and pipes are refused, because they may never end.
        called: The file's name in messages.
        most_bytes: The maximum size, checked before parsing.

    Raises:
        UnreadableFile: The file is missing, unreadable, not a regular file, too large, or not UTF-8.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise UnreadableFile(f"{called}: {error.strerror}") from None
    except ValueError as error:  # a NUL byte in the path
        raise UnreadableFile(f"{called!r} is not the path of a file: {error}") from None
    if not stat.S_ISREG(found.st_mode):
        raise UnreadableFile(f"{called} is {'a folder' if path.is_dir() else 'a device or a pipe'}, not a file")
    if found.st_size > most_bytes:
        raise UnreadableFile(f"{called} is larger than {most_bytes // 1024:,} KiB: is it the right file?")
    try:
        with path.open("rb") as file:
            data = file.read(most_bytes)
    except OSError as error:
        raise UnreadableFile(f"{called}: {error.strerror}") from None
    if data.startswith(UTF_16_MARKS):
        raise UnreadableFile(f"{called} is UTF-16 text: save it as UTF-8")
    try:
        return data.removeprefix(b"\xef\xbb\xbf").decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UnreadableFile(
            f"{called}, line {line}: the byte 0x{data[error.start]:02x} is not UTF-8 text: save the file as UTF-8"
        ) from None


def deepest_line(text: str, *, levels: int) -> int | None:
    """Return the first line with more than `levels` open brackets, if any. YAML parsers take hours for such a depth."""
    depth = 0
    for bracket in BRACKETS.finditer(text):
        depth += 1 if bracket[0] in "[{" else -1
        if depth > levels:
            return text.count("\n", 0, bracket.start()) + 1
    return None
