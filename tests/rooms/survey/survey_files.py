"""A small survey: two mosaics that overlap, and catalogues of what is in them."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from astropy.io import fits
from astropy.wcs import WCS

from equiradio.artefacts.claim import claimed

SIDE, SCALE = 460, 1.8  # pixels, arcsec
CENTRES = ((150.0, 30.0), (150.16, 30.0))  # of the two mosaics, whose middles are 277 pixels apart


def wcs_of(centre):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.radesys = ["RA---SIN", "DEC--SIN"], "ICRS"
    wcs.wcs.crval, wcs.wcs.crpix = centre, [(SIDE + 1) / 2] * 2
    wcs.wcs.cdelt = [-SCALE / 3600, SCALE / 3600]
    return wcs


def positions():
    """Of 12 sources: RA and Dec on a grid that both mosaics hold a part of; the first four lie in both."""
    ra = [150.08, 150.08, 150.075, 150.085, 149.95, 149.95, 150.0, 150.0, 150.2, 150.21, 150.17, 150.22]
    dec = [29.95, 30.05, 30.0, 29.98, 29.95, 30.05, 29.97, 30.03, 29.95, 30.04, 30.0, 30.01]
    return np.array(ra), np.array(dec)


def write_mosaics(folder: Path) -> list[Path]:
    """Both mosaics; a corner of the second is blank."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for number, centre in enumerate(CENTRES):
        wcs, (rows, columns) = wcs_of(centre), np.indices((SIDE, SIDE))
        pixels = np.random.default_rng(number).normal(0, 1e-4, (SIDE, SIDE))
        for place, (ra, dec) in enumerate(zip(*positions(), strict=True)):
            column, row = wcs.wcs_world2pix([[ra, dec]], 0)[0]
            for step, peak in ((0, 0.05), (8 + place, 0.03)):
                pixels += peak * np.exp(-((columns - column - step) ** 2 + (rows - row) ** 2) / 18)
        if number == 1:
            pixels[:240, 300:] = np.nan
        files.append(folder / f"m{number}.fits")
        fits.PrimaryHDU(pixels.astype(np.float32), wcs.to_header()).writeto(files[-1], overwrite=True)
    return files


def table_of(**more):
    """The 12 sources, with a flux in mJy; ``more`` columns replace or join these."""
    ra, dec = positions()
    columns = {"name": [f"s{number}" for number in range(len(ra))], "ra": ra, "dec": dec, "flux": np.linspace(1, 12, len(ra))}
    table = pa.table(columns | more)
    units = {"ra": "deg", "dec": "deg", "flux": "mJy"}
    return table.cast(pa.schema([f.with_metadata({"unit": units[f.name]}) if f.name in units else f for f in table.schema]))


def write_catalogue(folder: Path, table=None, name="c.parquet") -> Path:
    pq.write_table(table_of() if table is None else table, folder / name)
    return folder / name


def hold(place: Path):
    """As another process would that works there."""
    return claimed(place)


def rows_of(out: Path) -> pa.Table:
    """All rows of a survey's results by their place in the catalogue: equal only where every bit is."""
    files = sorted((out / "results").glob("[0-9]*.parquet"))  # a kill leaves hidden ones
    return pa.concat_tables([pq.read_table(file).replace_schema_metadata(None) for file in files]).sort_by("catalogue_row")
