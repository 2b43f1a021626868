"""Text that every file, header and terminal can hold: what names of files and messages of libraries become before they are shown."""

import re
from collections.abc import Sequence

# control characters, which XML and FITS cannot hold and terminals obey; separators of lines; marks that turn the order of letters around;
# halves of surrogate pairs, which stand for bytes of a file's name that are no text; two codes that are no characters
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
LINE_END = re.compile(r"\s*[\r\n]\s*")


def printable(text: str) -> str:
    """Text with a question mark in the place of each character that cannot be printed or stored."""
    return UNPRINTABLE.sub("?", text)


def in_one_line(text: str) -> str:
    """Printable text, its lines joined by spaces."""
    return printable(LINE_END.sub(" ", text.strip()))


def count_of(count: int, noun: str) -> str:
    """Such as ``1 shard`` and ``2,000 shards``."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def some_of(words: Sequence[object], most: int = 4) -> str:
    """The first of these, and dots where there are more: such as ``a, b, c, d, ...``."""
    return ", ".join(map(str, words[:most])) + (", ..." if len(words) > most else "")


def as_ascii(text: str) -> str:
    r"""Printable text for FITS, which has no letters but ASCII: others are written as \xfc or \u0142."""
    return printable(text).encode("ascii", "backslashreplace").decode()
