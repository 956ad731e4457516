"""Read a text file that a person names: whole, bounded, and with one clear sentence where that cannot be."""

import stat
from pathlib import Path

from planner.faults import WrongQuestion

UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")


class UnreadableFile(WrongQuestion):
    """A file cannot be read; the message begins with its name."""


def read_text_file(path: Path, *, called: str, most_bytes: int) -> str:
    """Return the text of a UTF-8 file, without a byte order mark at its head.

    Args:
        path: The file. Devices and pipes are refused: they may never end.
        called: The file's name in messages.
        most_bytes: Larger files are refused before they are parsed.

    Raises:
        UnreadableFile: The file is missing, not readable, no regular file, too large, or not UTF-8.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            kind = "a folder" if path.is_dir() else "a device or a pipe"
            raise UnreadableFile(f"{called} is {kind}, not a file")
        with path.open("rb") as file:
            data = file.read(most_bytes + 1)
    except OSError as error:
        raise UnreadableFile(f"{called}: {error.strerror}") from None
    except ValueError as error:  # a NUL byte in the path
        raise UnreadableFile(f"{called!r} is not the path of a file: {error}") from None
    if len(data) > most_bytes:
        raise UnreadableFile(f"{called} is larger than {most_bytes // 1024:,} KiB: is it the right file?")
    if data.startswith(UTF_16_MARKS):
        raise UnreadableFile(f"{called} is UTF-16 text: save it as UTF-8")
    try:
        return data.removeprefix(b"\xef\xbb\xbf").decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UnreadableFile(
            f"{called}, line {line}: the byte 0x{data[error.start]:02x} is not UTF-8 text: save the file as UTF-8"
        ) from None
