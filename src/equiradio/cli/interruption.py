"""Ctrl-C, with a line that says how to go on."""


class Interrupted(Exception):
    """Raised by a verb in place of KeyboardInterrupt, of which typer would drop the words."""
