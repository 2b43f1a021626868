"""Lines on the terminal: what is printed, and what was typed."""

import shlex
from collections.abc import Sequence

import typer

from equiradio.printable import in_one_line, printable

LONGEST = 2000  # characters of a command line that are kept: it may name thousands of files


def say(line: object, *, err: bool = False) -> None:
    """Print a line, to stdout or stderr; characters of names that a terminal would obey are question marks."""
    typer.echo(in_one_line(str(line)), err=err)


def command_line(words: Sequence[str]) -> str:
    """The command as it could be repeated; the middle of a long one is left out."""
    text = printable(shlex.join(["equiradio", *words]))
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]} ... {text[-LONGEST // 2 :]}"
