"""Tables on the terminal, no wider than it is: what does not fit stands beneath its row, and the first column is never cut."""

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from textwrap import wrap

from rich.cells import cell_len

from equiradio.printable import printable

GAP, INDENT = "  ", "    "  # between columns; before what stands beneath a row
NUMERIC = tuple("0123456789+-<")  # how a cell begins that is aligned to the right


def terminal_width() -> int | None:
    """Characters in a line of the terminal, or as many as COLUMNS says; None where stdout is no terminal: as many as it takes."""
    if os.environ.get("COLUMNS", "").isdecimal() or sys.stdout.isatty():
        return shutil.get_terminal_size().columns or None
    return None


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], title: str = "", spare: Sequence[str] = ()) -> None:
    """Print a table; see `table_lines`."""
    cells = [[printable(cell) for cell in row] for row in rows]
    print(*table_lines(columns, cells, printable(title), terminal_width(), spare), sep="\n")


def print_text(text: str) -> None:
    """Print a sentence, broken between words where the terminal ends."""
    print(*_wrapped(text, terminal_width()), sep="\n")


def table_lines(
    columns: Sequence[str], rows: Sequence[Sequence[str]], title: str = "", width: int | None = None, spare: Sequence[str] = ()
) -> Iterator[str]:
    """The lines of a table, of at most ``width`` characters where the first column leaves room for that.

    Where it is too wide, columns named in ``spare`` are left out, in that order; what is still too much stands beneath each row, with
    the names of its columns.
    """
    places, left_out = list(range(len(columns))), []
    widths = [max(map(cell_len, cells)) for cells in zip(columns, *rows, strict=True)]
    for name in spare:
        if _fitting(places, widths, width) == len(places):
            break
        places.remove(columns.index(name))
        left_out.append(name)
    aligned, beneath = places[: (count := _fitting(places, widths, width))], places[count:]
    right = [all(row[place].startswith(NUMERIC) for row in rows if row[place]) for place in range(len(columns))]
    line = lambda cells: GAP.join(_justified(cells[place], widths[place], right[place] and place > 0) for place in aligned).rstrip()
    yield from _wrapped(title, width) if title else ()
    yield line(columns)
    yield GAP.join("-" * widths[place] for place in aligned)
    for row in rows:
        yield line(row)
        yield from _beneath([f"{columns[place]} {row[place]}" for place in beneath if row[place]], width)
    if left_out:
        yield from _wrapped(f"Left out in {width} characters: {', '.join(left_out)}. A wider terminal or --json shows them.", width)


def _fitting(places: Sequence[int], widths: Sequence[int], width: int | None) -> int:
    """How many of these columns fit side by side; the first always does."""
    if width is None:
        return len(places)
    ends = [sum(widths[place] for place in places[:count]) + len(GAP) * (count - 1) for count in range(1, len(places) + 1)]
    return max(1, sum(end <= width for end in ends))


def _beneath(pieces: Sequence[str], width: int | None) -> list[str]:
    """Pieces in one line where they fit, else each in its own."""
    together = _wrapped("; ".join(pieces), width, INDENT)
    return together if len(together) < 2 else [line for piece in pieces for line in _wrapped(piece, width, INDENT)]


def _justified(text: str, width: int, right: bool) -> str:
    blank = " " * (width - cell_len(text))
    return blank + text if right else text + blank


def _wrapped(text: str, width: int | None, indent: str = "") -> list[str]:
    if width is None:
        return [indent + text] if text else []
    return wrap(text, max(width, 20), initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False)
