"""A survey beside the same sources classified one by one: seconds a source, where they go, and memory after each shard.

    python benchmarks/survey.py catalogue.parquet --images 'mosaics/*.fits' --count 1000 --out survey.json

The catalogue and its mosaics may be anyone's, or those of ``equiradio data simulate``. Of the sources ``--beside`` are then answered by
``equiradio classify`` in two ways: each position in its mosaic (--ra --dec), and as cutouts that were written as files before.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from equiradio.inference.reading import catalogue
from equiradio.inference.team import load
from equiradio.processes import peak_mib
from equiradio.survey.cutting import Cutter, Place
from equiradio.survey.folder import SurveyFolder
from equiradio.survey.plan import Asked
from equiradio.survey.run import survey
from equiradio.survey.tables import read_catalogue

FIELD = 300  # pixels of a cutout that is written as a file


def main() -> None:
    given = arguments()
    team = load(given.model, "cpu")
    team.classify([*np.random.default_rng(0).integers(0, 255, (16, 150, 150), np.uint8)])  # what is set up once is set up before
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pq.write_table(read_catalogue(given.catalogue).slice(0, given.count), folder / "catalogue.parquet")
        asked = Asked(folder / "catalogue.parquet", given.images, shard_size=given.shard_size)
        begun = time.perf_counter()
        done = survey(team, asked, folder / "out", readers=given.readers)
        whole = time.perf_counter() - begun
        plan = done.plan
        notes = [SurveyFolder(folder / "out").note(shard) or {} for shard in range(plan.shards)]
        rows = pq.read_table(folder / "out" / "results" / "000000.parquet").to_pylist()
        places = [Place(row["file"], row["target_ra_deg"], row["target_dec_deg"]) for row in rows if row["file"]][: given.beside]
        spent = {key: sum(note["seconds"][key] for note in notes) / plan.sources for key in ("total", "reading", "answering")}
        result = {
            "model": team.name,
            "sources": plan.sources,
            "images": len(plan.images),
            "shard_size": plan.shard_size,
            "readers": given.readers,
            "seconds": round(whole, 2),
            "seconds_a_source": {key: round(value, 5) for key, value in spent.items()},
            "cutting_processor_seconds_a_source": round(cutting(team, places), 5),
            "rss_mb_after_each_shard": [note["rss_mb"] for note in notes],
            "peak_rss_mib": peak_mib(),
        }
        if places:
            result |= {"beside": len(places), **beside(team, places, folder)}
    text = json.dumps(result, indent=2)
    print(text)
    if given.out:
        given.out.write_text(text + "\n", encoding="utf-8")


def cutting(team, places: list[Place]) -> float:
    """Processor seconds a source of reading, recipe and shape in one process, without answers."""
    cutter = Cutter(team.recipe, {}, 0.05)
    cutter.cutouts(places)  # what is imported and set up at first use is so by then
    begun = time.process_time()
    cutter.cutouts(places)
    spent = time.process_time() - begun
    cutter.close()
    return spent / max(1, len(places))


def beside(team, places: list[Place], folder: Path) -> dict[str, float]:
    """Seconds a source of ``classify``: each position in its mosaic, and cutouts as files."""
    begun = time.perf_counter()
    for place in places:
        team.classify(place.file, ra_deg=place.ra_deg, dec_deg=place.dec_deg)
    anew = time.perf_counter() - begun
    files = [cutout_file(place, folder / f"{number}.fits") for number, place in enumerate(places)]
    begun = time.perf_counter()
    catalogue(team, files)
    as_files = time.perf_counter() - begun
    return {
        "classify_ra_dec_seconds_a_source": round(anew / len(places), 5),
        "classify_files_seconds_a_source": round(as_files / len(places), 5),
    }


def cutout_file(place: Place, file: Path) -> Path:
    """The field around a position as a file of its own."""
    from astropy.io import fits

    from equiradio.sky.mosaic import Mosaic
    from equiradio.sky.positions import from_pixel

    with Mosaic(place.file) as mosaic:
        (column,), (row,) = mosaic.places(np.array([place.ra_deg]), np.array([place.dec_deg]))
        left, top = max(0, round(column) - FIELD // 2), max(0, round(row) - FIELD // 2)
        pixels = mosaic.image.pixels[top : top + FIELD, left : left + FIELD]
        fits.PrimaryHDU(np.asarray(pixels), from_pixel(mosaic.image.wcs, left, top, FIELD).to_header()).writeto(file)
    return file


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("catalogue", type=Path)
    parser.add_argument("--images", action="append", required=True)
    parser.add_argument("--model", default="quick")
    parser.add_argument("--count", type=int, default=1000, help="sources, from the first")
    parser.add_argument("--shard-size", type=int, default=1000)
    parser.add_argument("--readers", type=int, default=1)
    parser.add_argument("--beside", type=int, default=20, help="sources that classify answers too")
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
