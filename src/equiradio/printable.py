"""Text that every file, header and terminal can hold: what names of files and messages of libraries become before they are shown."""

import itertools
import re
from collections.abc import Container, Sequence

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


def apart(name: str, taken: Container[str], form: str = "{} ({})", *, case: bool = True) -> str:
    """The name, or with a number behind where another has it: ``c4``, ``c4 (2)``; without ``case`` taken are names in small letters."""
    every = itertools.chain([name], (form.format(name, number) for number in itertools.count(2)))
    return next(each for each in every if (each if case else each.lower()) not in taken)


def with_interval(value: float | None, edges: Sequence[float] | None, digits: int = 3, scale: float = 1.0) -> str:
    """A score with its interval, of which one digit less is shown: ``0.902 (0.84-0.94)``; a dash where it is not defined."""
    if value is None:
        return "-"
    ends = "-".join(f"{scale * edge:.{digits - 1}f}" for edge in edges or ())
    return f"{scale * value:.{digits}f}" + (f" ({ends})" if ends else "")


def in_brackets(edges: Sequence[float] | None, digits: int, scale: float = 1.0, sign: str = "") -> str:
    """An interval behind a score that has a spread over seeds, or a difference with a sign: `` [0.840, 0.940]``; nothing without one."""
    return f" [{', '.join(f'{scale * edge:{sign}.{digits}f}' for edge in edges)}]" if edges else ""


def duration(seconds: float) -> str:
    """How long something lasts: ``42 s``, ``12 min``, ``1.5 h``, by the largest unit of which there is more than one and a half."""
    return f"{seconds / 3600:.1f} h" if seconds > 5400 else f"{seconds / 60:.0f} min" if seconds > 90 else f"{seconds:.0f} s"


def as_ascii(text: str) -> str:
    r"""Printable text for FITS, which has no letters but ASCII: others are written as \xfc or \u0142."""
    return printable(text).encode("ascii", "backslashreplace").decode()
