"""What a part of an explanation is, and where parts are found: a file in `equiradio.explain.parts` is one, and no list names it."""

from typing import Any, Protocol, cast

import numpy as np

from equiradio.errors import SettingRefusal
from equiradio.explain.case import Case
from equiradio.explain.folder import Folder
from equiradio.plugins import modules
from equiradio.report.page import Page

__all__ = ["Part"]

ROOM = "equiradio.explain.parts"
Summary = dict[str, Any]
Arrays = dict[str, np.ndarray]
Measured = tuple[Summary, Arrays]


class Part(Protocol):
    """A module of `equiradio.explain.parts`, or an entry point in the group of that name.

    Attributes
    ----------
    PLACE : its order in time and on the page.
    NEEDS : names of parts whose arrays it reads; they have a lower PLACE.

    A part may also have ``headlines(answer) -> rows``: what a reader should know first, see `equiradio.explain.page.HEADLINES`.
    """

    PLACE: int
    NEEDS: tuple[str, ...]

    def measure(self, case: Case, folder: Folder) -> Measured:
        """What is measured: a summary for JSON, and arrays for figures and for later parts.

        A part that does not apply to the case says so: ``{"applies": False, "reason": ...}`` and no arrays.
        """

    def sections(self, page: Page, case: Case, folder: Folder, answer: dict[str, Any], other: Folder | None) -> None:
        """Put figures, tables and text on the page, and write the figures with their data.

        Parameters
        ----------
        answer : the summaries of all parts by name, and ``about``.
        other : the explanation of another network to compare with.
        """


def parts() -> dict[str, Part]:
    """All parts by name, in their order.

    Raises
    ------
    SettingRefusal : a part that reads another one which is not measured before it.
    """
    rooms = cast(dict[str, Part], modules(ROOM, "measure"))
    ordered = dict(sorted(rooms.items(), key=lambda pair: (pair[1].PLACE, pair[0])))
    names = list(ordered)
    for place, (name, part) in enumerate(ordered.items()):
        late = [need for need in part.NEEDS if need not in names[:place]]
        if late:
            where, what = f"{ROOM}.{name}", f"needs {', '.join(late)}, not measured before it"
            raise SettingRefusal(where, what, f"some of {', '.join(names[:place])}", "Give the part a higher PLACE.")
    return ordered
