"""Tables of text that say what their columns hold: ECSV (astropy), IPAC (IRSA), machine-readable (AAS, CDS), and VizieR's line of units."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from equiradio.datasets.imports.compressed import suffix_of
from equiradio.datasets.imports.frames import frames_in_cards
from equiradio.datasets.imports.machine_readable import read_machine_readable
from equiradio.datasets.imports.mixins import as_plain

FORMATS = {".ecsv": "ascii.ecsv", ".tbl": "ascii.ipac"}
FIXED = (".mrt", ".dat", ".txt")  # of machine-readable tables
SUFFIXES = (*FORMATS, *FIXED)
END = "#END#"  # the last line of what VizieR gives


def read_described(path: Path) -> tuple[Any, dict[str, str]]:
    """One of these tables in astropy, with plain columns alone, and frames other than ICRS by column, of "" that of all others."""
    from astropy.table import Table

    suffix = suffix_of(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if suffix in FIXED:
            return read_machine_readable(path)
        table, frames = as_plain(Table.read(path, format=FORMATS[suffix]))
    keywords = {name: word["value"] for name, word in table.meta.get("keywords", {}).items()}  # IPAC's lines of \NAME = value
    return table, frames_in_cards({**table.meta, **keywords}) | frames


def units_below(heading: Sequence[str], second: Sequence[str], third: Sequence[str]) -> list[str] | None:
    """Units of the columns where the second line of a table holds them and the third is of dashes, as VizieR writes it; else None."""
    dashes = len(heading) == len(second) == len(third) and all(cell.strip() and not cell.strip("- \r\n") for cell in third)
    return [cell.strip() for cell in second] if dashes else None
