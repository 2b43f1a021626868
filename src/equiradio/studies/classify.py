"""Classify image files: a catalogue part by part, maps beside it, resumable after any interruption."""

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from equiradio.artefacts.catalogue import CATALOGUE, check_suffix, write_catalogue
from equiradio.artefacts.files import write_atomically, write_json
from equiradio.artefacts.tables import write_table
from equiradio.data.cutout import Cutout
from equiradio.data.fits import SUFFIXES
from equiradio.errors import ImageRefusal, RunRefusal
from equiradio.inference.catalogue import BATCH, answered, batches, calibration_of
from equiradio.inference.classifier import Classifier
from equiradio.inference.evidence import gathered
from equiradio.inference.rows import source_name
from equiradio.studies.sky_maps import write_maps

Progress = Callable[[str, int, int], object]


def image_files(given: Sequence[Path]) -> list[Path]:
    """The files named, and those of the folders named whose suffix is that of an image, by name."""
    files: list[Path] = []
    for path in given:
        inside = sorted(file for file in path.iterdir() if file.name.lower().endswith(SUFFIXES)) if path.is_dir() else [path]
        if not inside:
            words = f"a folder without any {', '.join(SUFFIXES)}"
            raise ImageRefusal("missing", path, words, "at least one image", "Name files, or another folder.")
        files += inside
    return files


def classify(
    classifier: Classifier,
    files: Sequence[Path],
    *,
    out: Path | None = None,
    maps: Path | None = None,
    resume: bool = False,
    progress: Progress = lambda what, done, total: None,
    **options: Any,
) -> pa.Table | None:
    """Classify files; the table, or None where it went into ``out`` (parts of it lie in ``out``.parts until all are there).

    Parameters
    ----------
    out : .parquet, .csv, .fits or .vot.
    maps : folder for attention maps.
    resume : go on with the parts of an interrupted run.
    options : of `equiradio.data.fits.read_cutout`.

    Raises
    ------
    ImageRefusal : the only file cannot be used. Among several it has a row with a flag.
    RunRefusal : parts of an interrupted run are there and ``resume`` was not said, or they are of another run.
    """
    if out is None:
        return pa.Table.from_pylist(
            [row for part in _parts(classifier, files, 0, maps, progress, options) for row in part], schema=CATALOGUE
        )
    check_suffix(out)
    folder = out.with_name(out.name + ".parts")
    if resume and out.is_file() and not folder.is_dir():
        return None
    done = _open_parts(folder, classifier, files, options, resume)
    for number, rows in enumerate(_parts(classifier, files, done * BATCH, maps, progress, options), done):
        write_table(pa.Table.from_pylist(rows, schema=CATALOGUE), _part(folder, number))
    _join(folder, -(-len(files) // BATCH), out)
    shutil.rmtree(folder)
    return None


def _part(folder: Path, number: int) -> Path:
    return folder / f"{number:06d}.parquet"


def _open_parts(folder: Path, classifier: Classifier, files: Sequence[Path], options: dict[str, Any], resume: bool) -> int:
    """How many parts are there already; the folder says what it is a part of."""
    listed = hashlib.sha256("\0".join(map(str, files)).encode("utf-8", "surrogateescape")).hexdigest()
    told = {"model": classifier.name, "files": len(files), "list": listed, "options": {k: v for k, v in options.items() if v is not None}}
    plan = folder / "plan.json"
    if plan.is_file():
        if not resume:
            do = "Add --resume to go on, or delete the folder."
            raise RunRefusal(folder, "parts of an interrupted run", "none", do)
        try:
            known = json.loads(plan.read_text(encoding="utf-8"))
        except ValueError:
            known = None
        if known != told:
            what = ", ".join(key for key in told if not isinstance(known, dict) or known.get(key) != told[key])
            raise RunRefusal(folder, f"parts of a run with another {what}", "the same", "Repeat that command, or delete the folder.")
    write_json(plan, told)
    done = 0
    while _part(folder, done).is_file():
        done += 1
    return done


def _parts(
    classifier: Classifier, files: Sequence[Path], start: int, maps: Path | None, progress: Progress, options: dict[str, Any]
) -> Iterator[list[dict[str, Any]]]:
    """Rows of one batch of files after the other."""
    calibration = calibration_of(classifier)
    often = Counter(source_name(str(file)) for file in files)
    done = start
    progress("sources", done, len(files))
    for batch in batches(files[start:], **options):
        if len(files) == 1 and isinstance(batch[0][1], ImageRefusal):
            raise batch[0][1]
        places = [place for place, (_, what) in enumerate(batch) if isinstance(what, Cutout)]
        watching: AbstractContextManager[Any] = gathered(classifier.members, len(places)) if maps is not None else nullcontext()
        with watching as evidence:
            rows, cutouts, answers = answered(classifier, calibration, batch)
        if maps is not None and answers is not None:
            for place, cutout, gates, why in zip(places, cutouts, answers.gates, evidence(), strict=True):
                name = rows[place]["source_id"]
                write_maps(maps, name if often[name] == 1 else f"{name}-{done + place}", cutout, gates, rows[place], why)
        yield rows
        done += len(batch)
        progress("sources", done, len(files))


def _join(folder: Path, parts: int, out: Path) -> None:
    """All parts in one file; Parquet part by part, so that memory does not grow with their number."""
    if out.suffix.lower() != ".parquet":
        write_catalogue(pa.concat_tables(pq.ParquetFile(_part(folder, number)).read() for number in range(parts)), out)
        return

    def write(path: Path) -> None:
        with pq.ParquetWriter(path, CATALOGUE, write_page_checksum=True) as writer:
            for number in range(parts):
                writer.write_table(pq.ParquetFile(_part(folder, number)).read())

    write_atomically(out, write)
