"""What the engines of `survey` cost beside the plain loop: the same sources at two sizes, so that starting and a source come apart.

    python benchmarks/engines.py sky/truth.csv --images 'sky/mosaic-*.fits' --out results/speed/survey-engines.json

Every way is a process of its own with one thread a process, by the clock; the least of the rounds, each of which takes all ways in turn.
The plain loop opens the team, cuts sixteen sources, asks, and writes its rows as one Parquet file: no plan, no shards, no page. Ray is
measured where it is installed (or with the interpreter of --python). Rows of all engines are compared bit for bit.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

PARTS = 2
LOCAL = {"local, 0 readers": ["--readers", "0"], "local, 1 reader": ["--readers", "1"], "local, 2 readers": ["--readers", "2"]}
RAY = {f"ray, {workers} actor{'s' * (workers > 1)}": ["--engine", "ray", "--workers", str(workers)] for workers in (1, 2)}
PLAIN = "plain loop"
WAYS = (PLAIN, *LOCAL, f"{PARTS} parts side by side", *RAY)


def plain_loop(catalogue: Path, images: list[str], model: str, poses: int, out: Path) -> None:
    """The work without an engine: cut a batch, ask, write once. Each source in the image that the catalogue's column ``mosaic`` names."""
    from equiradio.cli.classify import open_classifier
    from equiradio.inference.reading import BATCH, answered, schema_of
    from equiradio.survey.cutting import Cutter, Place
    from equiradio.survey.tables import read_catalogue

    folder, team = Path(images[0]).parent, open_classifier(model, "cpu", "float32", poses, None, cascade=False)
    sources = read_catalogue(catalogue).to_pylist()
    places = [Place(str(folder / each["mosaic"]), each["ra_deg"], each["dec_deg"]) for each in sources]
    cutter, rows = Cutter(team.recipe, {}, 0.05), []
    for first in range(0, len(places), BATCH):
        some = places[first : first + BATCH]
        rows += answered(team, list(zip([each.file for each in some], cutter.cutouts(some), strict=True))).rows
    for row, source in zip(rows, sources, strict=True):
        row["source_id"] = source["source_id"]
    pq.write_table(pa.Table.from_pylist(rows, schema=schema_of(team, {})), out)


def started(python: str, *arguments: str) -> subprocess.Popen:
    """A process of one thread; what it says is not shown unless it fails."""
    surroundings = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([python, *arguments], env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def ended(*processes: subprocess.Popen) -> None:
    """Wait for all of them."""
    for process in processes:
        said, _ = process.communicate()
        if process.returncode:
            raise SystemExit(f"{' '.join(map(str, process.args))}\n{said}")


def answers_of(way: str, catalogue: Path, given: argparse.Namespace, out: Path) -> pa.Table:
    """Carry out the work in one way; its rows."""
    images = [part for pattern in given.images for part in ("--images", pattern)]
    who = ["--model", given.model, "--poses", str(given.poses)]
    survey = ["-m", "equiradio", "survey", str(catalogue), *images, *who, "--shard-size", str(given.shard_size), "--out", str(out)]
    if way == PLAIN:
        ended(started(sys.executable, __file__, str(catalogue), *images, *who, "--plain", str(out)))
        return pq.read_table(out)
    if way in LOCAL:
        ended(started(sys.executable, *survey, *LOCAL[way]))
    elif way in RAY:
        ended(started(given.python, *survey, *RAY[way]))
    else:
        ended(started(sys.executable, "-m", "equiradio", "survey", "plan", *survey[3:]))
        ended(*(started(sys.executable, *survey, "--part", f"{number}/{PARTS}") for number in range(1, PARTS + 1)))
        ended(started(sys.executable, "-m", "equiradio", "survey", "merge", str(out)))
    return pq.read_table(out / "catalogue.parquet")


def main() -> None:
    given = arguments()
    if given.plain:
        plain_loop(given.catalogue, given.images, given.model, given.poses, given.plain)
        return
    seconds: dict[str, dict[int, float]] = {way: {} for way in given.ways}
    rows: dict[str, dict[int, pa.Table]] = {way: {} for way in given.ways}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(given.rounds):
            for size in given.sizes:
                lines = given.catalogue.read_text(encoding="utf-8").splitlines()[: size + 1]
                catalogue = Path(folder) / f"{size}.csv"
                catalogue.write_text("\n".join(lines) + "\n", encoding="utf-8")
                for number, way in enumerate(given.ways):
                    begun = time.perf_counter()
                    table = answers_of(way, catalogue, given, Path(folder) / f"{turn}-{size}-{number}")
                    spent = time.perf_counter() - begun
                    print(f"round {turn + 1}, {size} sources, {way}: {spent:.1f} s", file=sys.stderr, flush=True)
                    seconds[way][size] = min(spent, seconds[way].get(size, spent))
                    rows[way][size] = table.replace_schema_metadata(None)
    small, large = given.sizes
    engines = [way for way in given.ways if way != PLAIN]
    same = lambda way: all(rows[way][size].equals(rows[engines[0]][size]) for size in given.sizes)
    result = {
        way: {
            "seconds": {str(size): round(spent, 2) for size, spent in each.items()},
            "milliseconds_a_source": round(1e3 * (each[large] - each[small]) / (large - small), 2),
            "seconds_to_start_and_end": round(each[small] - small * (each[large] - each[small]) / (large - small), 2),
            "rows_as_the_first_engine": same(way) if way in engines else None,
        }
        for way, each in seconds.items()
    }
    text = json.dumps({"model": given.model, "poses": given.poses, "shard_size": given.shard_size, "ways": result}, indent=2)
    print(text)
    if given.out:
        given.out.write_text(text + "\n", encoding="utf-8")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("catalogue", type=Path, help="CSV, as `equiradio data simulate --sky` writes it")
    parser.add_argument("--images", action="append", required=True)
    parser.add_argument("--model", default="quick")
    parser.add_argument("--poses", type=int, default=1)
    parser.add_argument("--sizes", type=int, nargs=2, default=(100, 400), help="sources, from the first")
    parser.add_argument("--shard-size", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--python", default=sys.executable, help="where ray is installed")
    parser.add_argument("--plain", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
