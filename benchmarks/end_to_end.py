"""Seconds of whole `equiradio classify` processes, from a cold start to the catalogue, for one cutout and for many, as JSON.

Run: taskset -c 1 python benchmarks/end_to_end.py --out results/speed/end-to-end.json
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ending import run

from equiradio.artefacts.atomic import write_json
from equiradio.bench.run import at_least_one
from equiradio.compute.machine import facts, processors
from equiradio.errors import DataRefusal, Refusal, SettingRefusal
from equiradio.folders import data_folder
from equiradio.sky.listing import image_files

CASCADE = "cascade"
FORMS = {  # of the layers -> what a process does before it classifies
    "compiled": "",
    "torch": "from equiradio.layers.forms.native import library; library.best = lambda: None; ",
}
CLASSIFY = "import sys; {}from equiradio.cli.main import main; sys.exit(main())"


def copies(files: list[Path], count: int, folder: Path) -> None:
    """So many cutouts in a folder, the same ones again and again where there are fewer."""
    folder.mkdir()
    for number in range(count):
        file = files[number % len(files)]
        shutil.copyfile(file, folder / f"{number:05d}_{file.name}")


def spent(who: str, form: str, cutouts: Path, out: Path) -> dict[str, float]:
    """Seconds of one process by the clock and on the processor."""
    asked = ["--cascade"] if who == CASCADE else ["--model", who]
    command = [sys.executable, "-c", CLASSIFY.format(FORMS[form]), "classify", str(cutouts), *asked, "--out", str(out)]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    by_clock, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if answer.returncode:
        last = (answer.stderr.strip().splitlines() or ["nothing on stderr"])[-1]
        raise Refusal(who, f"classify ended with {answer.returncode} ({last})", "a catalogue", "Try that command alone.")
    return {
        "seconds": round(by_clock, 2),
        "processor_seconds": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2),
    }


def summary(measured: dict[str, list[dict[str, float]]], many: int) -> dict[str, Any]:
    """Medians for each team and form, and milliseconds of a processor for each further cutout."""
    answer: dict[str, Any] = {}
    for name in dict.fromkeys(key.rpartition("/")[0] for key in measured):
        row: dict[str, Any] = {}
        for count in (1, many):
            rounds = measured.get(f"{name}/{count}", [])
            if rounds:
                row[str(count)] = {key: round(statistics.median(each[key] for each in rounds), 2) for key in rounds[0]}
        if many > 1 and len(row) == 2:
            further = row[str(many)]["processor_seconds"] - row["1"]["processor_seconds"]
            row["processor_milliseconds_per_further_cutout"] = round(1000 * further / (many - 1), 1)
        answer[name] = row
    return answer


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--who", default=f"quick,{CASCADE},c4-attention", help=f"teams, and {CASCADE}, comma-separated")
    parser.add_argument("--forms", default="compiled", help=f"of the layers, some of {', '.join(FORMS)}, comma-separated")
    parser.add_argument(
        "--images", type=Path, default=data_folder() / "fits", help="a folder of cutouts; default FIRST's in EQUIRADIO_DATA"
    )
    parser.add_argument("--count", type=int, default=96, help="cutouts beside the one")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured, in turn")
    parser.add_argument("--out", type=Path, required=True, help="JSON, written after every measurement")
    return parser.parse_args()


def main() -> None:
    """Measure in turn, and write the summary."""
    options = parse()
    for option, number in (("--count", options.count), ("--rounds", options.rounds)):
        at_least_one(option, number)
    for form in options.forms.split(","):
        if form not in FORMS:
            raise SettingRefusal("--forms", f"'{form}'", ", ".join(FORMS), "Choose some of these.")
    files = image_files([options.images]) if options.images.is_dir() else []
    if not files:
        raise DataRefusal(options.images, "no cutouts", "a folder of FITS cutouts", "Set EQUIRADIO_DATA, or name one with --images.")
    threads = os.environ.get("OMP_NUM_THREADS", "all of them")
    content: dict[str, Any] = {
        "command": " ".join(["python", "benchmarks/end_to_end.py", *sys.argv[1:]]),
        "machine": facts() | {"may_use": f"{processors()} processors", "threads": threads},
        "measurements": {},
    }
    names = [(who, form) for who in options.who.split(",") for form in options.forms.split(",")]
    with tempfile.TemporaryDirectory() as place:
        folders = {count: Path(place) / f"of-{count}" for count in dict.fromkeys((1, options.count))}
        for count, folder in folders.items():
            copies(files, count, folder)
        for turn in range(options.rounds):
            for who, form in names:
                for count, folder in folders.items():
                    each = spent(who, form, folder, Path(place) / "out.parquet")
                    content["measurements"].setdefault(f"{who}/{form}/{count}", []).append(each)
                    content["summary"] = summary(content["measurements"], options.count)
                    write_json(options.out, content)
                    print(f"round {turn + 1} of {options.rounds}   {who:16} {form:9} {count:4}  {each['seconds']:7.1f} s", file=sys.stderr)


if __name__ == "__main__":
    run(main)
