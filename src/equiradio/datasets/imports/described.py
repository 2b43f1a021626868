"""Tables of text that say what their columns hold: ECSV as astropy writes it, IPAC tables as IRSA does, and VizieR's line of units."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from equiradio.datasets.imports.frames import frames_in_cards
from equiradio.datasets.imports.mixins import as_plain

FORMATS = {".ecsv": "ascii.ecsv", ".tbl": "ascii.ipac"}
SUFFIXES = tuple(FORMATS)
END = "#END#"  # the last line of what VizieR gives


def read_described(path: Path) -> tuple[Any, dict[str, str]]:
    """An ECSV or IPAC table in astropy, with plain columns alone, and frames other than ICRS by column, of "" that of all others."""
    from astropy.table import Table

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table, frames = as_plain(Table.read(path, format=FORMATS[path.suffix.lower()]))
    keywords = {name: word["value"] for name, word in table.meta.get("keywords", {}).items()}  # IPAC's lines of \NAME = value
    return table, frames_in_cards({**table.meta, **keywords}) | frames


def units_below(heading: Sequence[str], second: Sequence[str], third: Sequence[str]) -> list[str] | None:
    """Units of the columns where the second line of a table holds them and the third is of dashes, as VizieR writes it; else None."""
    dashes = len(heading) == len(second) == len(third) and all(cell.strip() and not cell.strip("- \r\n") for cell in third)
    return [cell.strip() for cell in second] if dashes else None
