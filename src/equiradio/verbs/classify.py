"""Classify image files: a catalogue part by part, maps beside it, resumable after any interruption."""

import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from equiradio.artefacts.atomic import write_atomically, write_json
from equiradio.artefacts.catalogue import Row, catalogue_schema, check_suffix, write_catalogue
from equiradio.artefacts.provenance import with_provenance
from equiradio.artefacts.tables import write_table
from equiradio.errors import ImageRefusal
from equiradio.inference.reading import BATCH, answered, batches, provenance
from equiradio.inference.team import Team
from equiradio.sky.cutout import Cutout
from equiradio.sky.fits import SUFFIXES
from equiradio.verbs.classify_job import JOB, Options, check_finished, job_of, map_names, part_file, parts_done, spare_images
from equiradio.verbs.sky_maps import SkyMaps, write_maps

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
    team: Team,
    files: Sequence[Path],
    *,
    out: Path | None = None,
    maps: Path | None = None,
    resume: bool = False,
    command: str = "",
    progress: Progress = lambda what, done, total: None,
    **options: Any,
) -> pa.Table | None:
    """Classify files; the table, or None where it went into ``out`` (parts of it lie in ``out``.parts until all are there).

    Parameters
    ----------
    out : .parquet, .csv, .fits or .vot.
    maps : folder for attention maps; not one that holds the images.
    resume : go on with the parts of an interrupted run.
    command : line that products say they were made by.
    options : of `equiradio.sky.fits.read_cutout`.

    Raises
    ------
    ImageRefusal : the only file cannot be used. Among several it has a row with a flag.
    RunRefusal : parts of an interrupted run are there and ``resume`` is off; or they, or the finished catalogue, are of another run.
    SettingRefusal : an image would be written over.
    """
    spare_images(files, out, maps)
    if out is None:
        return _as_table((row for part in _parts(team, files, 0, maps, command, progress, options) for row in part), team, command)
    check_suffix(out)
    _write(team, files, out, maps, resume, command, progress, options)
    return None


def _write(
    team: Team, files: Sequence[Path], out: Path, maps: Path | None, resume: bool, command: str, progress: Progress, options: Options
) -> None:
    """Write the catalogue part by part, going on with the parts that are there."""
    folder = out.with_name(out.name + ".parts")
    if resume and out.is_file() and not part_file(folder, 0).is_file():
        check_finished(out, team, files, maps)
        return
    job = job_of(team, files, maps, options)
    done = parts_done(folder, job, resume)
    for number, rows in enumerate(_parts(team, files, done * BATCH, maps, command, progress, options), done):
        if number == 0:
            write_json(folder / JOB, job)
        write_table(_as_table(rows, team, command), part_file(folder, number))
    _join(folder, -(-len(files) // BATCH), out, _schema(team, command))
    shutil.rmtree(folder)


def _schema(team: Team, command: str) -> pa.Schema:
    return with_provenance(catalogue_schema(team.labels), provenance(team, command))


def _as_table(rows: Iterable[Row], team: Team, command: str) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=_schema(team, command))


def _parts(
    team: Team, files: Sequence[Path], start: int, maps: Path | None, command: str, progress: Progress, options: Options
) -> Iterator[list[Row]]:
    """Rows of one batch of files after the other."""
    names, about = map_names(files), provenance(team, command)
    done = start
    progress("sources", done, len(files))
    for batch in batches(files[start:], **options):
        if len(files) == 1 and isinstance(batch[0][1], ImageRefusal):
            raise batch[0][1]
        rows, cutouts, answers = answered(team, batch, why=maps is not None)
        if maps is not None and answers is not None:
            places = [place for place, (_, what) in enumerate(batch) if isinstance(what, Cutout)]
            for place, cutout, gates, why in zip(places, cutouts, answers.gates, answers.evidence, strict=True):
                rows[place]["map_name"] = names[done + place]
                write_maps(maps, cutout, SkyMaps(gates, team.labels, why, rows[place]["map_agreement"]), rows[place], about)
        yield rows
        done += len(batch)
        progress("sources", done, len(files))


def _join(folder: Path, parts: int, out: Path, schema: pa.Schema) -> None:
    """All parts in one file; Parquet part by part, so that memory does not grow with their number."""
    if out.suffix.lower() != ".parquet":
        whole = pa.concat_tables(pq.ParquetFile(part_file(folder, number)).read() for number in range(parts))
        write_catalogue(whole.cast(schema), out)
        return

    def write(path: Path) -> None:
        with pq.ParquetWriter(path, schema, write_page_checksum=True) as writer:
            for number in range(parts):
                writer.write_table(pq.ParquetFile(part_file(folder, number)).read())

    write_atomically(out, write)
