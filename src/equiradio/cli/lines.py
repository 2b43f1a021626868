"""Lines on the terminal."""

import typer

from equiradio.printable import in_one_line


def say(line: object, *, err: bool = False) -> None:
    """Print a line, to stdout or stderr; characters of names that a terminal would obey are question marks."""
    typer.echo(in_one_line(str(line)), err=err)
