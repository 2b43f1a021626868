"""Classify image files: a catalogue part by part, maps beside it, resumable after any interruption."""

import shutil
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
from equiradio.errors import ImageRefusal
from equiradio.inference.catalogue import BATCH, answered, batches, calibration_of
from equiradio.inference.classifier import Classifier
from equiradio.inference.evidence import gathered
from equiradio.studies.classify_files import PLAN, check_finished, map_names, part_file, parts_done, spare_images, told_of
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
    maps : folder for attention maps; not one that holds the images.
    resume : go on with the parts of an interrupted run.
    options : of `equiradio.data.fits.read_cutout`.

    Raises
    ------
    ImageRefusal : the only file cannot be used. Among several it has a row with a flag.
    RunRefusal : parts of an interrupted run are there and ``resume`` was not said; or they, or the finished catalogue, are of another run.
    SettingRefusal : an image would be written over.
    """
    spare_images(files, out, maps)
    if out is None:
        return pa.Table.from_pylist(
            [row for part in _parts(classifier, files, 0, maps, progress, options) for row in part], schema=CATALOGUE
        )
    check_suffix(out)
    folder = out.with_name(out.name + ".parts")
    if resume and out.is_file() and not part_file(folder, 0).is_file():
        check_finished(out, classifier, files, maps)
        return None
    told = told_of(classifier, files, maps, options)
    done = parts_done(folder, told, resume)
    for number, rows in enumerate(_parts(classifier, files, done * BATCH, maps, progress, options), done):
        if number == 0:
            write_json(folder / PLAN, told)
        write_table(pa.Table.from_pylist(rows, schema=CATALOGUE), part_file(folder, number))
    _join(folder, -(-len(files) // BATCH), out)
    shutil.rmtree(folder)
    return None


def _parts(
    classifier: Classifier, files: Sequence[Path], start: int, maps: Path | None, progress: Progress, options: dict[str, Any]
) -> Iterator[list[dict[str, Any]]]:
    """Rows of one batch of files after the other."""
    calibration = calibration_of(classifier)
    names = map_names(files)
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
                write_maps(maps, names[done + place], cutout, gates, rows[place], why)
        yield rows
        done += len(batch)
        progress("sources", done, len(files))


def _join(folder: Path, parts: int, out: Path) -> None:
    """All parts in one file; Parquet part by part, so that memory does not grow with their number."""
    if out.suffix.lower() != ".parquet":
        write_catalogue(pa.concat_tables(pq.ParquetFile(part_file(folder, number)).read() for number in range(parts)), out)
        return

    def write(path: Path) -> None:
        with pq.ParquetWriter(path, CATALOGUE, write_page_checksum=True) as writer:
            for number in range(parts):
                writer.write_table(pq.ParquetFile(part_file(folder, number)).read())

    write_atomically(out, write)
