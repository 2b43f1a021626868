"""Names of what is offered: each belongs to one thing."""

import itertools
from collections.abc import Container


def apart(name: str, taken: Container[str]) -> str:
    """The name, or with a number behind where another has it: ``c4``, ``c4 (2)``, ..."""
    return next(each for each in itertools.chain([name], (f"{name} ({number})" for number in itertools.count(2))) if each not in taken)
