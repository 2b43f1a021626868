"""How a benchmark ends that was asked for what cannot be: with one line and exit code 2, as the commands do."""

import sys
from collections.abc import Callable

from equiradio.errors import Refusal


def run(main: Callable[[], None]) -> None:
    """Call ``main``; what it refuses is told in a line."""
    try:
        main()
    except Refusal as refusal:
        print(refusal, file=sys.stderr)
        sys.exit(2)
