"""Answers about sources cut from a mosaic, beside those about the same sources cut out beforehand into files.

    python benchmarks/survey_cutouts.py --out cutouts.json

Simulated mosaics of 1.8 arcsec a pixel, north up, and of finer, coarser and turned pixels; each source once cut by ``equiradio survey``
from its mosaic, once from a file of its own, and once in the middle of that file by ``equiradio classify``. Then smaller files.
"""

import argparse
import json
import math
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from astropy.io import fits
from astropy.nddata import Cutout2D
from astropy.wcs import WCS

from equiradio.artefacts.catalogue import catalogue_schema
from equiradio.inference.team import load
from equiradio.survey.plan import Asked
from equiradio.survey.run import survey

SIDE, EDGE = 1500, 350  # pixels of a mosaic, and how far inside its sources lie
SKIES = ((1.8, 0, "SIN"), (1.8, 0, "TAN"), (1.5, 0, "SIN"), (1.5, 20, "SIN"), (2.5, 0, "TAN"), (2.5, 33, "ZEA"))
SMALLER = (301, 299, 251, 201, 151)  # pixels of 1.8 arcsec
NUMBERS = [field.name for field in catalogue_schema() if pa.types.is_floating(field.type)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="quick")
    parser.add_argument("--count", type=int, default=64, help="sources a mosaic")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    team, results = load(given.model, "cpu"), {}
    for sky in SKIES:
        with tempfile.TemporaryDirectory() as name:
            results[" ".join(map(str, sky))] = compared(team, *sky, given.count, Path(name))
    text = json.dumps({"model": team.name, "sources_each": given.count, "skies": results}, indent=2)
    print(text)
    if given.out:
        given.out.write_text(text + "\n", encoding="utf-8")


def compared(team, scale: float, angle: float, projection: str, count: int, folder: Path) -> dict[str, object]:
    """One mosaic, surveyed and cut into files."""
    positions = write_mosaic(folder / "mosaic.fits", scale, angle, projection, count)
    pq.write_table(pa.table({"name": [f"s{number:03d}" for number in range(count)], **positions}), folder / "c.parquet")
    rows = surveyed(team, folder, "mosaic.fits")
    reach = math.ceil(270 * math.sqrt(2) / scale) + 6
    write_files(folder, rows, 2 * reach + 1, folder / "files")
    result: dict[str, object] = {
        "survey_of_files": beside(rows, surveyed(team, folder, "files")),
        "classify_files": beside(rows, classified(team, folder / "files")),
    }
    if scale == 1.8:
        for side in SMALLER:
            write_files(folder, rows, side, folder / f"of-{side}")
            result[f"classify_files_of_{side}"] = beside(rows, classified(team, folder / f"of-{side}"))
    return result


def write_mosaic(file: Path, scale: float, angle: float, projection: str, count: int) -> dict[str, np.ndarray]:
    """Sources of three Gaussians in noise; where they lie."""
    wcs, chance, turn = WCS(naxis=2), np.random.default_rng(round(10 * scale) + angle), np.radians(angle)
    wcs.wcs.ctype, wcs.wcs.radesys = [f"RA---{projection}", f"DEC--{projection}"], "ICRS"
    wcs.wcs.crval, wcs.wcs.crpix = (150.1234567891, 30.9876543219), (SIDE / 2 + 0.1234567, SIDE / 2 - 0.7654321)
    wcs.wcs.cd = np.array([[-np.cos(turn), np.sin(turn)], [np.sin(turn), np.cos(turn)]]) * scale / 3600
    pixels, places = chance.normal(0, 1e-4, (SIDE, SIDE)), chance.uniform(EDGE, SIDE - EDGE, (count, 2))
    rows, columns = np.indices((SIDE, SIDE))
    width = 5.4 / 2.355 / scale
    for column, row in places:
        near = np.s_[int(row) - 60 : int(row) + 60, int(column) - 60 : int(column) + 60]
        apart, towards = chance.uniform(3, 15), chance.uniform(0, 2 * np.pi)
        for side in (0, 1, -1):
            off = (columns[near] - column - side * apart * np.cos(towards), rows[near] - row - side * apart * np.sin(towards))
            pixels[near] += chance.uniform(0.002, 0.03) * np.exp(-(off[0] ** 2 + off[1] ** 2) / (2 * width**2))
    header = wcs.to_header()
    header.update(BMAJ=5.4 / 3600, BMIN=5.4 / 3600, BPA=0.0, BUNIT="JY/BEAM")
    fits.PrimaryHDU(pixels.astype(np.float32), header).writeto(file)
    ra, dec = wcs.wcs_pix2world(places, 0).T
    return {"ra": ra, "dec": dec}


def write_files(folder: Path, rows: dict, side: int, out: Path) -> None:
    """A file for each source, on the mosaic's pixels, its own in the middle; ``side`` is odd."""
    out.mkdir()
    with fits.open(folder / "mosaic.fits") as hdus:
        pixels, header = hdus[0].data, hdus[0].header
        for name, row in rows.items():
            at = WCS(header).wcs_world2pix([[row["target_ra_deg"], row["target_dec_deg"]]], 0)[0]
            column, line = (int(np.floor(value + 0.5)) for value in at)
            part = Cutout2D(pixels, (column, line), side, mode="partial", fill_value=np.nan)
            own = header.copy()
            own["CRPIX1"] -= column - side // 2
            own["CRPIX2"] -= line - side // 2
            fits.PrimaryHDU(part.data, own).writeto(out / f"{name}.fits")


def surveyed(team, folder: Path, images: str) -> dict:
    out = folder / f"out-{images}"
    survey(team, Asked(folder / "c.parquet", [str(folder / images)]), out, readers=0)
    return {row["source_id"]: row for row in pq.read_table(out / "results" / "000000.parquet").to_pylist()}


def classified(team, files: Path) -> dict:
    return {row["source_id"]: row for row in team.classify(sorted(files.iterdir())).table.to_pylist()}


def beside(rows: dict, others: dict) -> dict[str, object]:
    """How far apart two answers about each source are."""
    moved = np.array([abs(row["p_fri"] - others[name]["p_fri"]) for name, row in rows.items()])
    shares = {name: max(share(row[name], others[key][name]) for key, row in rows.items()) for name in NUMBERS}
    return {
        "p_equal": int((moved == 0).sum()),
        "p_median": float(np.median(moved)),
        "p_most": float(moved.max()),
        "other_labels": sum(row["label"] != others[name]["label"] for name, row in rows.items()),
        "largest_share_of_change": {name: value for name, value in shares.items() if value},
    }


def share(one: float | None, other: float | None) -> float:
    if one == other:
        return 0.0
    return math.inf if one is None or other is None else abs(one - other) / max(abs(one), abs(other))


if __name__ == "__main__":
    main()
